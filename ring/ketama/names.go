package ketama

import (
	"strconv"
	"strings"

	"github.com/ringway/ringway/ring"
)

const defaultPort = "11211"

// hashedName returns the name that is hashed for a node ID.
func hashedName(form NameForm, id string) (string, error) {
	switch form {
	case NamePrefixedBySlash:
		return "/" + id, nil
	case NameWithoutDefaultPort:
		host, port, ok := splitServer(id)
		switch {
		case !ok:
			return "", &ring.InputError{Err: ring.ErrInvalidID, Node: id, Value: id,
				Want: `host, host:port or [IPv6]:port (else NameAsListed, with the very name that is hashed)`}
		case port == "" || port == defaultPort:
			return host, nil
		}
		return host + ":" + port, nil
	}
	return id, nil
}

// splitServer splits "host", "host:port", "[IPv6]" and "[IPv6]:port". It refuses
// what the clients might take otherwise: an IPv6 address without brackets, of
// which the last group might be a port; a path, since a Unix socket is hashed
// as "path", "path:" or "path:0" depending on how the client was told of it; a
// port that is not a plain number, which some would hash as written.
func splitServer(id string) (host, port string, ok bool) {
	if inside, bracketed := strings.CutPrefix(id, "["); bracketed {
		host, port, ok = strings.Cut(inside, "]")
		if !ok || !strings.Contains(host, ":") || strings.ContainsAny(host, "[") {
			return "", "", false
		}
		if port == "" {
			return host, "", true
		}
		port, ok = strings.CutPrefix(port, ":")
		return host, port, ok && isPort(port)
	}
	host, port, hasPort := strings.Cut(id, ":")
	if host == "" || strings.ContainsAny(id, "/[]") || hasPort && !isPort(port) {
		return "", "", false
	}
	return host, port, true
}

func isPort(s string) bool {
	port, err := strconv.ParseUint(s, 10, 16)
	return err == nil && port > 0 && strconv.FormatUint(port, 10) == s
}

// hashedNames returns the names that are hashed for the nodes. Two IDs of one
// name ("a" and "a:11211") would share all their points: it refuses them.
func hashedNames(form NameForm, nodes []ring.Node) ([]string, error) {
	names := make([]string, len(nodes))
	ids := make(map[string]string, len(nodes)) // "10.0.0.1" -> "10.0.0.1:11211"
	for i, n := range nodes {
		name, err := hashedName(form, n.ID)
		if err != nil {
			return nil, err
		}
		if other, twice := ids[name]; twice {
			return nil, &ring.InputError{Err: ring.ErrDuplicateID, Node: n.ID, Value: n.ID,
				Want: "another server than " + strconv.Quote(other) + ", which hashes under the same name"}
		}
		ids[name] = n.ID
		names[i] = name
	}
	return names, nil
}
