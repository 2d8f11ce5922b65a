package memcache

import "encoding/base64"

// Limits of keys, in bytes.
const (
	MaxKey        = 250 // as it goes over the wire
	MaxEncodedKey = 186 // before base64, which makes 248 of them
)

// needsEncoding reports whether the key has a byte that would end it on the
// wire, or the command line: with a key of "a\r\nflush_all" a client that does
// not look would send two commands.
func needsEncoding(key string) bool {
	for i := range len(key) {
		if key[i] <= ' ' || key[i] == 0x7f {
			return true
		}
	}
	return false
}

// checkKey says how the key is to be sent, or why it cannot be. force is for
// keys whose owner wants base64 whatever they are made of; allow for a Client
// that may encode where it must.
func checkKey(key string, force, allow bool) (encode bool, err error) {
	switch {
	case key == "":
		return false, &KeyError{Key: key, Problem: "empty"}
	case force || needsEncoding(key):
		if !force && !allow {
			return false, &KeyError{Key: key, Problem: "has a space or control character, and keys are not encoded"}
		}
		if len(key) > MaxEncodedKey {
			return false, &KeyError{Key: key, Problem: "longer than 186 bytes, the limit of keys that are encoded"}
		}
		return true, nil
	case len(key) > MaxKey:
		return false, &KeyError{Key: key, Problem: "longer than 250 bytes"}
	}
	return false, nil
}

func appendKey(dst []byte, key string, encode bool) []byte {
	if !encode {
		return append(dst, key...)
	}
	n := base64.StdEncoding.EncodedLen(len(key))
	start := len(dst)
	dst = append(dst, make([]byte, n)...)
	base64.StdEncoding.Encode(dst[start:], []byte(key))
	return dst
}

// decodeKey turns a key of a reply into a string.
func decodeKey(key []byte, encoded bool) (string, bool) {
	if !encoded {
		return string(key), true
	}
	raw, err := base64.StdEncoding.DecodeString(string(key))
	return string(raw), err == nil
}
