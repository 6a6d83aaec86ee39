"""Every failure we name, grouped by what the caller does next.

::

    ConnectorError
    ├── SettingError, MappingFileError    stop at start-up, the operator mends a file
    │   ├── OwnMappingError               stop this workspace's runs, its admin mends a file
    │   └── AutomationFileError           the same for a file of automations
    ├── SchemaError                       stop the run, the admin mends the CRM's data model
    ├── TryLaterError                     nothing is wrong with the data: wait, then go on
    ├── ReconnectError                    a credential is gone: pause the connection, tell the admin
    ├── RecordError                       this one record fails, the rest go on
    │   ├── BadRecordError                the source sent something we cannot read
    │   ├── MappingError                  a value does not fit the mapping's rule
    │   ├── ParentMissingError            the record it must point at is not in the CRM
    │   └── WriteRefusedError             the CRM will not take it
    ├── RefusedError                      a door says no to its caller (HTTP 4xx, exit code 2)
    │   └── AddressError                  an address that must not be connected to
    └── VaultError                        a sealed secret does not open

Each carries data: a stable ``code``, what happened in the admin's words (``str(error)``),
and ``remedy``, what the admin can do. Nothing here may hold a secret.
"""

from __future__ import annotations

from collections.abc import Sequence


class ConnectorError(Exception):
    """The root. ``remedy`` may be empty where waiting is all there is to do."""

    code = "error"
    remedy = ""

    def __init__(self, message: str, *, code: str | None = None, remedy: str | None = None) -> None:
        super().__init__(message)
        self.code = code or self.code
        self.remedy = remedy if remedy is not None else self.remedy


class SettingError(ConnectorError):
    """One or more settings are missing or wrong; ``problems`` holds a sentence for each."""

    code = "setting"
    remedy = "Correct the settings named above, in the environment or in .env."

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


class MappingFileError(ConnectorError):
    """One or more mapping files are wrong; ``problems`` holds ``file:line:column: …`` for each."""

    code = "mapping_file"
    remedy = "Correct the lines named above; `flask mappings check` looks again."

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


class MappingFunctionError(MappingFileError):
    """A package adds functions to the mapping language that cannot be used."""

    remedy = "Correct or uninstall the package named above; `flask mappings check` looks again."


class OwnMappingError(MappingFileError):
    """A workspace's own mapping files do not go with those that are shipped (any more)."""

    code = "own_mapping_file"
    remedy = "Open Mapping in the console: it shows each line that is wrong."


class AutomationFileError(MappingFileError):
    """The same for the files of automations."""

    code = "automation_file"
    remedy = "Correct the lines named above; `flask automation check` looks again."


class SchemaError(ConnectorError):
    """The CRM's data model does not fit the mappings and only a person can say what to do."""

    code = "crm_schema"


class TryLaterError(ConnectorError):
    """The other side cannot answer now. ``after`` is the wait it asked for, in seconds, if it did."""

    code = "try_later"
    remedy = "Nothing to do: it is tried again by itself."

    def __init__(
        self,
        message: str,
        *,
        after: float | None = None,
        code: str | None = None,
        remedy: str | None = None,
    ) -> None:
        super().__init__(message, code=code, remedy=remedy)
        self.after = after


class ReconnectError(ConnectorError):
    """A credential no longer opens the door; only a person can give a new one."""

    code = "reconnect"
    remedy = "Connect again with a credential that is valid."


class RecordError(ConnectorError):
    """One record fails. ``field``, ``expected`` and ``found`` name the spot where they are known."""

    code = "record"

    def __init__(
        self,
        message: str,
        *,
        field: str | None = None,
        expected: str | None = None,
        found: str | None = None,
        code: str | None = None,
        remedy: str | None = None,
    ) -> None:
        super().__init__(message, code=code, remedy=remedy)
        self.field = field
        self.expected = expected
        self.found = found


class BadRecordError(RecordError):
    """The source's answer for this record is not of the shape its documentation gives."""

    code = "bad_record"
    remedy = "If it fails again on the next sync, report it with the record's id."


class MappingError(RecordError):
    """A value of the record does not fit the rule of the mapping file."""

    code = "mapping"
    remedy = "Correct the value on Whop, or the rule in the mapping file."


class ParentMissingError(RecordError):
    """A record this one must point at could not be brought into the CRM."""

    code = "parent_missing"
    remedy = "Look at the failure of the record it belongs to; this one follows when that is mended."


class WriteRefusedError(RecordError):
    """The CRM refused the values of this record; its own words are the message."""

    code = "write_refused"
    remedy = "Correct the value that the CRM names, on Whop or in the mapping file."


class RefusedError(ConnectorError):
    """The caller asked for something that is not to be had."""

    code = "refused"


class AddressError(RefusedError):
    """The address is private, malformed or not of a kind we connect to."""

    code = "address_refused"
    remedy = "Use a public https address, or have the operator allow this host in ALLOWED_PRIVATE_HOSTS."


class VaultError(ConnectorError):
    """A sealed secret does not open: its key is missing, or it was moved or altered."""

    code = "vault"
    remedy = "Put the missing key back into TOKEN_ENCRYPTION_KEYS, or connect again."
