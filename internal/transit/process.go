package transit

// ProcessPrefix begins the names of the keys by which an agent knows the process
// of its server again. It is reserved, as MarkerPrefix is.
const ProcessPrefix = "__ringway:process:"

// ProcessKey returns the name of that key for the fleet whose keys have that
// prefix.
func ProcessKey(prefix string) string { return ProcessPrefix + shortened(prefix) }

// shortened bounds a prefix that becomes a part of a key's name.
func shortened(prefix string) string {
	const longest = 100 // of a memcached key's 250 bytes, and in case it is encoded
	return prefix[:min(len(prefix), longest)]
}
