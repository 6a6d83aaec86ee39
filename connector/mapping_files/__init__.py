"""Mapping files: YAML → ``core.mapping.Mapping``, every mistake of every file reported at once."""

from connector.mapping_files.automations import load_automation_texts, load_automations
from connector.mapping_files.functions import installed as all_functions
from connector.mapping_files.loading import load_all, load_file, load_texts, texts_of_files
from connector.mapping_files.model import FileMapping, MappingSet, MappingTest
from connector.mapping_files.recipes import Recipe, recipes_of
from connector.mapping_files.trials import Difference, TestResult, run_tests

__all__ = [
    "Difference",
    "FileMapping",
    "MappingSet",
    "MappingTest",
    "Recipe",
    "TestResult",
    "all_functions",
    "load_all",
    "load_automation_texts",
    "load_automations",
    "load_file",
    "load_texts",
    "recipes_of",
    "run_tests",
    "texts_of_files",
]
