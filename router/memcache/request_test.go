package memcache

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"
)

// atNoon is a clock that stands still, 2026-01-01 12:00:00.9 UTC.
func atNoon() time.Time { return time.Unix(1767268800, 9e8) }

func TestRequestsOnTheWire(t *testing.T) {
	e := &encoder{encodeKeys: true, maxValueSize: 10, now: atNoon}
	get := func(r GetRequest) func() ([]byte, error) {
		return func() ([]byte, error) { return e.get(nil, &r, noTag) }
	}
	set := func(r SetRequest) func() ([]byte, error) {
		return func() ([]byte, error) { return e.set(nil, &r, noTag, false) }
	}
	del := func(r DeleteRequest) func() ([]byte, error) {
		return func() ([]byte, error) { return e.delete(nil, &r, noTag) }
	}
	arith := func(r ArithmeticRequest) func() ([]byte, error) {
		return func() ([]byte, error) { return e.arithmetic(nil, &r) }
	}
	tests := []struct {
		encode func() ([]byte, error)
		want   string
	}{
		{get(GetRequest{Key: "k"}), "mg k"},
		{get(GetRequest{Key: "k", Return: 1<<8 - 1}), "mg k v c f t s l h k"},
		{get(GetRequest{Key: "k", Return: ReturnValue | ReturnTTL, NoBump: true, Touch: ExpireIn(0), Vivify: ExpireIn(time.Minute),
			RecacheBelow: 1500 * time.Millisecond, Opaque: "xyz"}), "mg k v t u T0 N60 R2 Oxyz"},
		{get(GetRequest{Key: "a b"}), "mg YSBi b"},
		{get(GetRequest{Key: "k", EncodeKey: true}), "mg aw== b"},
		{set(SetRequest{Key: "k", Value: []byte("abc")}), "ms k 3"},
		{set(SetRequest{Key: "a\r\n", Value: nil, TTL: time.Second, ClientFlags: math.MaxUint32, Return: ReturnCAS | ReturnKey | ReturnTTL}), "ms YQ0K 0 b T1 F4294967295 c k"},
		{set(SetRequest{Key: "k", Mode: ModeAdd, TTL: time.Minute}), "ms k 0 T60 ME"},
		{set(SetRequest{Key: "k", Mode: ModeReplace, ClientFlags: 1}), "ms k 0 F1 MR"},
		{set(SetRequest{Key: "k", Mode: ModeAppend, TTL: time.Minute, ClientFlags: 1}), "ms k 0 MA"},
		{set(SetRequest{Key: "k", Mode: ModePrepend, CompareCAS: 5}), "ms k 0 MP C5"},
		{set(SetRequest{Key: "k", CompareCAS: math.MaxUint64, Invalidate: true, Opaque: "o"}), "ms k 0 C18446744073709551615 I Oo"},
		{del(DeleteRequest{Key: "k", TTL: ExpireIn(time.Minute)}), "md k"},
		{del(DeleteRequest{Key: "k", CompareCAS: 7, Invalidate: true, TTL: ExpireIn(time.Minute), Return: ReturnKey | ReturnCAS}), "md k C7 I T60 k"},
		{arith(ArithmeticRequest{Key: "k"}), "ma k D0"},
		{arith(ArithmeticRequest{Key: "k", Delta: math.MaxUint64, Decrement: true, Create: ExpireIn(0), Initial: 9, Touch: ExpireIn(time.Hour),
			CompareCAS: 3, Return: 1<<8 - 1}), "ma k MD D18446744073709551615 N0 J9 T3600 C3 v c t k"},
		{arith(ArithmeticRequest{Key: "k", Delta: 1, Initial: 9}), "ma k D1"},
	}
	for _, tt := range tests {
		got, err := tt.encode()
		if err != nil || string(got) != tt.want+"\r\n" {
			t.Errorf("got %q, %v, want %q", got, err, tt.want)
		}
	}
}

func TestRequestsOfABatch(t *testing.T) {
	e := &encoder{maxValueSize: 10, now: atNoon}
	got, _ := e.get(nil, &GetRequest{Key: "k", Return: ReturnValue}, 12)
	got, _ = e.set(got, &SetRequest{Key: "k"}, 255, true)
	got, _ = e.set(got, &SetRequest{Key: "k"}, 0, false)
	got, _ = e.delete(got, &DeleteRequest{Key: "k"}, 3)
	if want := "mg k v O12 q\r\nms k 0 O255 q\r\nms k 0 O0\r\nmd k O3\r\n"; string(got) != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestRequestsRefused(t *testing.T) {
	e := &encoder{maxValueSize: 3, now: atNoon}
	tests := []struct {
		name   string
		encode func() error
		want   error
	}{
		{"value", func() error {
			_, err := e.set(nil, &SetRequest{Key: "k", Value: []byte("1234")}, noTag, false)
			return err
		}, ErrValueTooLarge},
		{"mode", func() error { _, err := e.set(nil, &SetRequest{Key: "k", Mode: '\r'}, noTag, false); return err }, ErrInvalidRequest},
		{"opaque too long", func() error {
			_, err := e.get(nil, &GetRequest{Key: "k", Opaque: strings.Repeat("x", 32)}, noTag)
			return err
		}, ErrInvalidRequest},
		{"opaque with a command", func() error {
			_, err := e.delete(nil, &DeleteRequest{Key: "k", Opaque: "\r\nflush_all"}, noTag)
			return err
		}, ErrInvalidRequest},
		{"opaque in a batch", func() error { _, err := e.get(nil, &GetRequest{Key: "k", Opaque: "x"}, 1); return err }, ErrInvalidRequest},
		{"recache", func() error { _, err := e.get(nil, &GetRequest{Key: "k", RecacheBelow: -1}, noTag); return err }, ErrInvalidRequest},
	}
	for _, tt := range tests {
		if err := tt.encode(); !errors.Is(err, tt.want) {
			t.Errorf("%s: got %v, want %v", tt.name, err, tt.want)
		}
	}
}

func TestKeys(t *testing.T) {
	long := strings.Repeat("x", MaxKey)
	tests := []struct {
		key           string
		force, allow  bool
		encode, legal bool
	}{
		{key: "k", legal: true},
		{key: long, legal: true},
		{key: long + "x"},
		{key: ""},
		{key: "", allow: true},
		{key: "", force: true},
		{key: "世界\x80\xff", legal: true},
		{key: "a b"}, {key: "a\r\nflush_all"}, {key: "a\n"}, {key: "a\x00"}, {key: "a\x7f"}, {key: "\t"},
		{key: "a b", allow: true, encode: true, legal: true},
		{key: "a b", force: true, encode: true, legal: true},
		{key: "k", allow: true, legal: true}, // as it is, so that others find it
		{key: "k", force: true, encode: true, legal: true},
		{key: strings.Repeat("\x00", MaxEncodedKey), allow: true, encode: true, legal: true},
		{key: strings.Repeat("\x00", MaxEncodedKey+1), allow: true},
		{key: long, allow: true, legal: true},
		{key: long, force: true},
	}
	for _, tt := range tests {
		encode, err := checkKey(tt.key, tt.force, tt.allow)
		if (err == nil) != tt.legal || encode != tt.encode {
			t.Errorf("key %.20q, force %v, allow %v: got encode %v, %v", tt.key, tt.force, tt.allow, encode, err)
		}
		if err != nil && (!errors.Is(err, ErrMalformedKey) || len(err.Error()) > 400) {
			t.Errorf("key %.20q: got %v, want a short ErrMalformedKey", tt.key, err)
		}
	}
	for b := range 256 {
		if got, want := needsEncoding("a"+string([]byte{byte(b)})), b <= ' ' || b == 0x7f; got != want {
			t.Errorf("byte %#x: got %v, want %v", b, got, want)
		}
	}
}

func TestTTL(t *testing.T) {
	const day = 24 * time.Hour
	tests := []struct {
		ttl  time.Duration
		want string
	}{
		{0, "0"},
		{-1, "-1"}, {-time.Hour, "-1"}, {math.MinInt64, "-1"},
		{1, "1"}, {time.Second - 1, "1"}, {time.Second, "1"}, {time.Second + 1, "2"},
		{30 * day, "2592000"},
		{30*day + 1, "1769860801"},              // noon and 2,592,001 s, since the server would take 2592001 for 1970
		{30*day + time.Second, "1769860801"},    //
		{365 * day, "1798804800"},               //
		{20 * 365 * day, "2147483647"},          // 2045 does not fit; 2147483648 would expire at once
		{math.MaxInt64, "2147483647"},           //
		{380214847 * time.Second, "2147483647"}, // exactly the last second, and one less
		{380214846 * time.Second, "2147483646"},
	}
	for _, tt := range tests {
		if got := string(appendTTL(nil, tt.ttl, atNoon)); got != tt.want {
			t.Errorf("TTL %v: got %s, want %s", tt.ttl, got, tt.want)
		}
	}
}

// No request is longer than the 2,048 bytes that the server takes for a line,
// and no part of it can end the line.
func FuzzRequest(f *testing.F) {
	f.Add("key", []byte("value"), int64(5), uint64(7), uint8(0), "opaque")
	f.Add("a b\r\nflush_all\r\n", []byte("\r\n"), int64(math.MaxInt64), uint64(math.MaxUint64), uint8(255), "\r\n")
	f.Fuzz(func(t *testing.T, key string, value []byte, ttl int64, n uint64, flags uint8, opaque string) {
		e := &encoder{encodeKeys: flags&1 != 0, maxValueSize: 1 << 20, now: atNoon}
		d := ExpireIn(time.Duration(ttl))
		ret := Return(flags)
		lines := make([][]byte, 0, 4)
		add := func(line []byte, err error) {
			if err == nil {
				lines = append(lines, line)
			}
		}
		add(e.get(nil, &GetRequest{Key: key, EncodeKey: flags&2 != 0, Return: ret, Touch: d, Vivify: d, RecacheBelow: time.Duration(ttl), Opaque: opaque}, noTag))
		add(e.set(nil, &SetRequest{Key: key, Value: value, TTL: time.Duration(ttl), ClientFlags: uint32(n), CompareCAS: n, Mode: SetMode(flags), Return: ret, Opaque: opaque}, noTag, true))
		add(e.delete(nil, &DeleteRequest{Key: key, CompareCAS: n, Invalidate: true, TTL: d, Return: ret, Opaque: opaque}, noTag))
		add(e.arithmetic(nil, &ArithmeticRequest{Key: key, Delta: n, Initial: n, Create: d, Touch: d, CompareCAS: n, Return: ret, Opaque: opaque}))
		for _, line := range lines {
			body, ended := strings.CutSuffix(string(line), "\r\n")
			if !ended || len(line) > maxLine || strings.ContainsFunc(body, func(r rune) bool { return r < ' ' || r == 0x7f }) {
				t.Errorf("%q", line)
			}
		}
	})
}

func TestEncodingAllocatesNothing(t *testing.T) {
	e := &encoder{maxValueSize: 1 << 20, now: time.Now}
	buf := make([]byte, 0, 1024)
	r := GetRequest{Key: "session:user:00000001", Return: itemReturns, Touch: ExpireIn(time.Hour)}
	s := SetRequest{Key: "session:user:00000001", Value: make([]byte, 100), TTL: time.Hour, ClientFlags: 7}
	if n := testing.AllocsPerRun(100, func() {
		buf, _ = e.get(buf[:0], &r, noTag)
		buf, _ = e.set(buf, &s, 200, true)
	}); n != 0 {
		t.Errorf("got %v allocations, want 0", n)
	}
}
