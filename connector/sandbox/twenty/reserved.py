"""Names an object or field may not have (packages/twenty-shared, constants of reserved metadata names)."""

_PAIRS = (
    "approvedAccessDomain", "appToken", "billingCustomer", "billingEntitlement", "billingMeter",
    "billingPrice", "billingProduct", "billingSubscription", "billingSubscriptionItem",
    "featureFlag", "keyValuePair", "postgresCredential", "twoFactorMethod", "user", "userWorkspace",
    "workspace", "role", "roleTarget", "view", "viewField", "viewFilter", "viewGroup", "viewSort",
    "plan", "event", "field", "link", "type", "object", "relation", "application", "job", "file",
    "actor", "index",
)  # fmt: skip
_SINGLE = (
    "currency", "currencies", "fullName", "fullNames", "address", "addresses", "search", "connect",
    "disconnect", "aggregate", "indices",
)  # fmt: skip

RESERVED = frozenset(_SINGLE) | frozenset(_PAIRS) | frozenset(f"{name}s" for name in _PAIRS)
