package cache

import (
	"bytes"
	"math"
	"strconv"
	"strings"
	"testing"
	"time"
)

// fields is a key of any fields, which a fuzzer makes of bytes.
type fields struct{ script string }

func (f fields) AppendKey(b *KeyBuilder) {
	for part := range strings.SplitSeq(f.script, "\xff") {
		if part == "" {
			b.Bytes(nil)
			continue
		}
		n, _ := strconv.ParseInt(part[1:], 10, 64)
		switch part[0] % 6 {
		case 5:
			b.Personal(part[1:])
		case 0:
			b.String(part[1:])
		case 1:
			b.Bytes([]byte(part[1:]))
		case 2:
			b.Int(n)
		case 3:
			b.Uint(uint64(n))
		default:
			b.Bool(n > 0)
		}
	}
}

// canonical is what the fields mean, in a form too plain to collide.
func (f fields) canonical() string {
	var out strings.Builder
	for part := range strings.SplitSeq(f.script, "\xff") {
		if part == "" {
			out.WriteString("bytes \"\";")
			continue
		}
		n, _ := strconv.ParseInt(part[1:], 10, 64)
		switch part[0] % 6 {
		case 5:
			out.WriteString("personal " + strconv.Quote(part[1:]) + ";")
		case 0:
			out.WriteString("string " + strconv.Quote(part[1:]) + ";")
		case 1:
			out.WriteString("bytes " + strconv.Quote(part[1:]) + ";")
		case 2:
			out.WriteString("int " + strconv.FormatInt(n, 10) + ";")
		case 3:
			out.WriteString("uint " + strconv.FormatUint(uint64(n), 10) + ";")
		default:
			out.WriteString("bool " + strconv.FormatBool(n > 0) + ";")
		}
	}
	return out.String()
}

func FuzzKeys(f *testing.F) {
	// By their first byte: 0 a string, 1 bytes, 2 an int, 3 a uint, 4 a bool, 5 personal.
	f.Add("5a\xff0b", "0a\xff5b")
	f.Add("0ab\xff0c", "0a\xff0bc")
	f.Add("0a\xff0b", "0as:b")
	f.Add("0a\xff0b", "0as1:b")
	f.Add("05", "25")
	f.Add("25", "35")
	f.Add("0", "0\xff0")
	f.Add("0%41", "0A")
	f.Add("0"+strings.Repeat("x", 300), "0"+strings.Repeat("x", 301))
	f.Add("0{a}\r\n ", "1\x00")
	f.Fuzz(func(t *testing.T, one, two string) {
		const prefix = "user/3/"
		k1, err1 := storeKeyOf(prefix, fields{one}, nil, secret)
		k2, err2 := storeKeyOf(prefix, fields{two}, nil, secret)
		if err1 != nil || err2 != nil {
			if len(one) <= maxRawKey && len(two) <= maxRawKey {
				t.Fatal(err1, err2)
			}
			return
		}
		same := fields{one}.canonical() == fields{two}.canonical()
		if (k1.text == k2.text) != same || (k1.identity == k2.identity) != same {
			t.Errorf("%q and %q: keys %q and %q", one, two, k1.text, k2.text)
		}
		for _, k := range []storeKey{k1, k2} {
			if len(k.text) > maxWireKey || strings.ContainsFunc(k.text, func(r rune) bool { return r <= ' ' || r >= 0x7f || r == '{' || r == '}' }) {
				t.Errorf("key %q", k.text)
			}
			c, err := storeKeyOf(prefix+string(counterMark), fields{one}, nil, secret)
			if err != nil || c.text == k.text || c.identity == k.identity {
				t.Errorf("the counter's key %q is that of a value (%v)", c.text, err)
			}
		}
	})
}

func FuzzEnvelope(f *testing.F) {
	id := identity{1, 2, 3}
	good := envelope{schema: 3, identity: id, version: 9, stored: time.UnixMilli(1), soft: time.UnixMilli(2), hard: time.UnixMilli(3), delta: time.Second, payload: []byte(`{"Name":"Ada"}`)}
	negative := envelope{schema: 3, identity: id, negative: true}
	f.Add(good.encode())
	f.Add(negative.encode())
	f.Add([]byte(nil))
	f.Add([]byte(envelopeMagic))
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := decodeEnvelope(data, 3, id)
		if err != nil {
			return
		}
		if again := e.encode(); !bytes.Equal(again, data) && e.delta < math.MaxUint32*time.Millisecond {
			t.Errorf("%x decodes, and encodes to %x", data, again)
		}
	})
}

func FuzzAES(f *testing.F) {
	codec, err := NewAES(Codec[[]byte](Bytes{}), bytes.Repeat([]byte{7}, 32))
	if err != nil {
		f.Fatal(err)
	}
	sealed, err := codec.Encode([]byte("secret"), []byte("id"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(sealed)
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		v, err := codec.Decode(data, []byte("id"))
		if err == nil && string(v) != "secret" { // sealed by this process, or by another one that fuzzes
			t.Errorf("forged: %q", v)
		}
	})
}
