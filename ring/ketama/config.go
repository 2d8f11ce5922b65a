package ketama

import (
	"fmt"
	"strings"

	"github.com/ringway/ringway/ring"
)

// Variant is the client whose placement is followed.
type Variant uint8

const (
	// Libketama is RJ/ketama, the first. Its list holds "host:port weight".
	Libketama Variant = iota
	// Libmemcached is libmemcached with MEMCACHED_BEHAVIOR_KETAMA_WEIGHTED, and
	// php-memcached with OPT_LIBKETAMA_COMPATIBLE. (Without weights
	// libmemcached has another rule, of 100 points a server, which is not
	// offered here.) With NamePrefixedBySlash it is libmemcached's distribution
	// KETAMA_SPY, set after KETAMA_WEIGHTED.
	Libmemcached
	// Spymemcached is KetamaNodeLocator with KETAMA_HASH.
	Spymemcached
	// Twemproxy is twemproxy (nutcracker) with "distribution: ketama". The
	// nodes are its live servers: with auto_eject_hosts, one that is ejected is
	// left out, and that moves keys between all the others. Its older versions
	// hash names of more than about 80 bytes unpredictably: they read past a
	// buffer.
	Twemproxy
	numVariants
)

var variantNames = [numVariants]string{"libketama", "libmemcached", "spymemcached", "twemproxy"}

// String returns the name that ParseVariant reads, such as "libketama".
func (v Variant) String() string { return nameOf("Variant", variantNames[:], uint8(v)) }

// ParseVariant returns the variant of that name, or an *ring.InputError that
// lists the names.
func ParseVariant(name string) (Variant, error) {
	v, err := parse("Variant", variantNames[:], name)
	return Variant(v), err
}

// NameForm says what of a node's ID is hashed into its points.
type NameForm uint8

const (
	// NameOfVariant is what the variant does by default: NameAsListed for
	// Libketama and Spymemcached, NameWithoutDefaultPort for the others.
	NameOfVariant NameForm = iota

	// NameAsListed hashes the ID as it is. Spymemcached names a server as Java
	// prints its address, less a slash in front: "10.0.0.1:11211" for an
	// address without a name, "cache-a/10.0.0.1:11211" for a name that was
	// resolved; Java 14 and later print IPv6 addresses in brackets, earlier
	// ones without. For a twemproxy server with an alias, the alias is the ID.
	// It also serves whatever other name a client hashes, such as that of a
	// Unix socket.
	NameAsListed

	// NameWithoutDefaultPort hashes "host" where the port is 11211 or not
	// given, and "host:port" otherwise; an IPv6 address, which is listed in
	// brackets if a port follows, without the brackets: "[::1]:11212" as
	// "::1:11212". Spymemcached calls it Format.LIBMEMCACHED.
	NameWithoutDefaultPort

	// NamePrefixedBySlash hashes "/" and the ID: "/10.0.0.1:11211". Spymemcached
	// did so before it dropped the slash; libmemcached's KETAMA_SPY does.
	NamePrefixedBySlash
	numNameForms
)

var nameForms = [numNameForms]string{"variant", "listed", "without-default-port", "slash"}

// String returns a short name, such as "listed".
func (f NameForm) String() string { return nameOf("NameForm", nameForms[:], uint8(f)) }

// Config says which client is followed, and how it was set up. The zero value
// follows libketama.
type Config struct {
	Variant Variant

	// Names is how servers are named. The zero value is the variant's own way.
	Names NameForm

	// Weighted is for Spymemcached alone, whose newer versions take a map of
	// weights: with one, it computes the number of points as libmemcached does,
	// even where all weights are equal. Otherwise every weight must be 1. The
	// other variants always use the weights.
	Weighted bool

	// KeyHash is the hash of keys, for Twemproxy ("hash:") and Libmemcached
	// (MEMCACHED_BEHAVIOR_HASH set after KETAMA_WEIGHTED). The zero value is
	// FNV1a64 for Twemproxy, MD5 for the others. Points are MD5 in any case.
	KeyHash KeyHash

	// UnsignedChar is for clients compiled where a C char is unsigned (Linux on
	// ARM, POWER and s390x). Elsewhere FNV and OneAtATime take bytes over 0x7f
	// as negative numbers, so that such keys hash otherwise there. Keys in
	// ASCII, and the other hashes, are not concerned.
	UnsignedChar bool

	// HashTag is twemproxy's hash_tag: two bytes, such as "{}". Of a key that
	// holds both, in this order and with something between, only that is
	// hashed. Empty: the whole key.
	HashTag string
}

// resolve checks the configuration and fills in what the variant decides.
func (c Config) resolve() (Config, error) {
	switch {
	case c.Variant >= numVariants:
		return c, badConfig("Variant", c.Variant, strings.Join(variantNames[:], ", "))
	case c.Names >= numNameForms:
		return c, badConfig("Names", c.Names, strings.Join(nameForms[:], ", "))
	case c.KeyHash >= numKeyHashes:
		return c, badConfig("KeyHash", c.KeyHash, strings.Join(keyHashNames[1:], ", "))
	case c.Weighted && c.Variant != Spymemcached:
		return c, badConfig("Weighted", c.Weighted, "false: it is for spymemcached alone")
	case c.HashTag != "" && c.Variant != Twemproxy:
		return c, badConfig("HashTag", c.HashTag, "none: it is for twemproxy alone")
	case c.HashTag != "" && len(c.HashTag) != 2:
		return c, badConfig("HashTag", c.HashTag, "two bytes, such as {}")
	}
	choosesHash := c.Variant == Twemproxy || c.Variant == Libmemcached
	if !choosesHash && c.KeyHash != KeyHashOfVariant && c.KeyHash != MD5 {
		return c, badConfig("KeyHash", c.KeyHash, "md5: "+c.Variant.String()+" has no other")
	}
	if c.KeyHash == KeyHashOfVariant {
		c.KeyHash = MD5
		if c.Variant == Twemproxy {
			c.KeyHash = FNV1a64
		}
	}
	if c.Names == NameOfVariant {
		c.Names = NameAsListed
		if c.Variant == Libmemcached || c.Variant == Twemproxy {
			c.Names = NameWithoutDefaultPort
		}
	}
	return c, nil
}

func badConfig(field string, value any, want string) error {
	return &ring.InputError{Err: ring.ErrInvalidConfig, Field: field, Value: value, Want: want}
}

func nameOf(kind string, names []string, i uint8) string {
	if int(i) < len(names) {
		return names[i]
	}
	return fmt.Sprintf("%s(%d)", kind, i)
}

func parse(field string, names []string, name string) (int, error) {
	for i, n := range names {
		if n == name {
			return i, nil
		}
	}
	return 0, badConfig(field, name, "one of "+strings.Join(names, ", "))
}
