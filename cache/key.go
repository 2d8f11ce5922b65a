package cache

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"sync"
	"time"
)

// Key is what the keys of a space are made of: a small comparable type, such as a
// struct, that names each of its fields in AppendKey. Whatever makes two values
// differ must be a field: tenant, language, page size.
//
//	func (k UserKey) AppendKey(b *cache.KeyBuilder) {
//		b.String(k.Tenant)
//		b.Int(k.ID)
//	}
type Key interface {
	comparable
	AppendKey(b *KeyBuilder)
}

// KeyBuilder writes the fields of a key, one call a field, always in the same
// order. Each field is written with its type, its length and its escaped bytes, so
// that two keys with different fields never give the same text: "ab"+"c" and
// "a"+"bc" differ. It is for the duration of AppendKey only.
type KeyBuilder struct {
	text   []byte
	raw    int // bytes of all fields before escaping
	fields int

	prefix string // of the space
	secret []byte // for personal fields
	bare   bool   // there is a personal field, and no secret
}

// String adds a field of any bytes.
func (b *KeyBuilder) String(s string) {
	b.begin('s', len(s))
	for i := range len(s) {
		b.escape(s[i])
	}
}

// Bytes adds a field of any bytes.
func (b *KeyBuilder) Bytes(p []byte) {
	b.begin('b', len(p))
	for _, c := range p {
		b.escape(c)
	}
}

// Int adds a number.
func (b *KeyBuilder) Int(n int64) {
	var digits [20]byte
	b.number('i', strconv.AppendInt(digits[:0], n, 10))
}

// Uint adds a number without a sign.
func (b *KeyBuilder) Uint(n uint64) {
	var digits [20]byte
	b.number('u', strconv.AppendUint(digits[:0], n, 10))
}

// Personal adds a field that says who somebody is, such as an e-mail address. What
// leaves the process is a keyed hash of it (HMAC-SHA-256 of RFC 2104, 128 bits) under
// ManagerConfig.Secret, another one in each space: whoever sees the keys of the
// servers can neither read it nor try names. Without a secret the key is refused.
//
// It hides the field alone: values are for NewAES, and numbers with few
// possibilities are no less to be hashed than names.
func (b *KeyBuilder) Personal(s string) {
	if len(b.secret) == 0 {
		b.bare = true
		return
	}
	mac := hmac.New(sha256.New, b.secret)
	mac.Write([]byte(b.prefix))
	mac.Write([]byte{0}) // no prefix has it
	mac.Write([]byte(s))
	sum := mac.Sum(nil)[:16]
	b.begin('p', hex.EncodedLen(len(sum)))
	b.raw += len(s)
	b.text = hex.AppendEncode(b.text, sum)
}

// Bool adds a truth value.
func (b *KeyBuilder) Bool(v bool) {
	b.number('t', strconv.AppendBool(nil, v))
}

func (b *KeyBuilder) number(kind byte, digits []byte) {
	b.begin(kind, len(digits))
	b.text = append(b.text, digits...)
}

func (b *KeyBuilder) begin(kind byte, length int) {
	b.fields++
	b.raw += length
	b.text = append(b.text, kind)
	b.text = strconv.AppendInt(b.text, int64(length), 10)
	b.text = append(b.text, ':')
}

const hexDigits = "0123456789ABCDEF"

// escape writes what the text protocol of memcached would take for the end of a
// key, and braces, which would be a hash tag, as %XX.
func (b *KeyBuilder) escape(c byte) {
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9',
		c == '-', c == '_', c == '.', c == '~', c == '@', c == '/', c == ':':
		b.text = append(b.text, c)
	default:
		b.text = append(b.text, '%', hexDigits[c>>4], hexDigits[c&15])
	}
}

const (
	maxRawKey  = 4096 // bytes of all fields of a key
	maxWireKey = 200  // bytes of a key in the store; memcached takes 250

	// A key that is longer on the wire is replaced by this and a hash of it. No
	// field begins with it.
	hashedMark = '#'
	// Counters are apart from values: no field begins with it either.
	counterMark = '+' // and see epochMark
)

// identity is part of a hash of the whole key. An entry carries it, so that one
// that lies under another key than its own is not taken for that key's.
type identity [16]byte

// storeKey is a key as the store has it.
type storeKey struct {
	text     string
	identity identity
	epoch    uint64 // of the space, when the call began; 0: it has none
	noEpoch  bool   // it has one, which could not be learnt

	tagged bool         // the space has tags
	turn   uint64       // of tagTurns, when the call began
	asked  time.Time    // when it began; zero: the space has no tags
	tags   []tagRef     // that the key says
	marks  []tagVersion // that its entry is to have

	least uint64 // the source has this version; 0: nobody has asked
}

// flight is what calls share that are about the same: also the same epoch, so that
// nobody is given what was loaded, or found, in the one before.
func (k storeKey) flight() string {
	text := k.text
	if k.epoch != 0 {
		text += " " + strconv.FormatUint(k.epoch, 36)
	}
	if k.least != 0 {
		text += " >" + strconv.FormatUint(k.least, 36)
	}
	if k.tagged { // nor what was loaded before a tag was invalidated
		text += " @" + strconv.FormatUint(k.turn, 36)
	}
	return text
}

var builders = sync.Pool{New: func() any { return new(KeyBuilder) }}

// storeKeyOf returns the key of the store for a key of the space whose prefix is
// given. The guard may refuse it. The secret is for personal fields.
func storeKeyOf[K Key](prefix string, key K, guard func(K) error, secret []byte) (_ storeKey, err error) {
	defer caught("AppendKey or GuardKey", &err)
	b := builders.Get().(*KeyBuilder)
	defer builders.Put(b)
	*b = KeyBuilder{text: append(b.text[:0], prefix...), prefix: prefix, secret: secret}
	key.AppendKey(b)
	switch {
	case b.bare:
		return storeKey{}, &KeyError{Space: prefix, Problem: "it has a personal field, want ManagerConfig.Secret to hash it with"}
	case b.fields == 0:
		return storeKey{}, &KeyError{Space: prefix, Problem: "the key has no fields, want one at least: see AppendKey"}
	case b.raw > maxRawKey:
		return storeKey{}, &KeyError{Space: prefix, Problem: strconv.Itoa(b.raw) + " bytes, want at most " + strconv.Itoa(maxRawKey)}
	}
	if guard != nil {
		if err := guard(key); err != nil {
			return storeKey{}, &KeyError{Space: prefix, Problem: "refused", Err: err}
		}
	}
	sum := sha256.Sum256(b.text)
	k := storeKey{identity: identity(sum[:len(identity{})])}
	if len(b.text) > maxWireKey {
		b.text = append(append(b.text[:len(prefix)], hashedMark), hex.EncodeToString(sum[:])...)
	}
	k.text = string(b.text)
	return k, nil
}
