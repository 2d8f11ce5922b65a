package memcache

import (
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestParseReply(t *testing.T) {
	tests := []struct {
		line string
		want reply
	}{
		{"HD\r\n", reply{size: -1, Response: Response{Status: StatusOK}}},
		{"HD \r\n", reply{size: -1, Response: Response{Status: StatusOK}}},
		{"EN O7 kfoo\r\n", reply{size: -1, Response: Response{Status: StatusMiss}, seen: ReturnKey, opaque: []byte("7"), key: []byte("foo")}},
		{"VA 0\r\n", reply{size: 0, Response: Response{Status: StatusValue}, seen: ReturnValue}},
		{"VA 3 f4294967295 c18446744073709551615 t-1 s3 h1 l12 kZm9v b W X Z O1\r\n", reply{
			size: 3,
			Response: Response{Status: StatusValue, ClientFlags: 1<<32 - 1, CAS: 1<<64 - 1, Size: 3, Hit: true,
				LastAccess: 12 * time.Second, Won: true, Stale: true, Pending: true},
			seen: ReturnValue | ReturnFlags | ReturnCAS | ReturnTTL | ReturnSize | ReturnHit | ReturnLastAccess | ReturnKey,
			key:  []byte("Zm9v"), keyEncoded: true, opaque: []byte("1"),
		}},
		{"HD t200\r\n", reply{size: -1, Response: Response{Status: StatusOK, TTL: 200 * time.Second}, seen: ReturnTTL}},
		// Not for ever, which 0 would be in a SetRequest.
		{"HD t0\r\n", reply{size: -1, Response: Response{Status: StatusOK, TTL: time.Second}, seen: ReturnTTL}},
		{"NF\r\n", reply{size: -1, Response: Response{Status: StatusNotFound}}},
		{"NS O3\r\n", reply{size: -1, Response: Response{Status: StatusNotStored}, opaque: []byte("3")}},
		{"EX\r\n", reply{size: -1, Response: Response{Status: StatusExists}}},
		{"MN\r\n", reply{size: -1, Response: Response{Status: statusNoop}}},
		{"ME foo exp=-1 la=1\r\n", reply{size: -1, Response: Response{Status: statusDebug}, key: []byte("foo"), rest: []byte("exp=-1 la=1")}},
		{"HD y Q7  q9\r\n", reply{size: -1, Response: Response{Status: StatusOK}}}, // of a later version
		{"SERVER_ERROR out of memory\r\n", reply{size: -1, failure: &ServerError{Kind: ErrServerError, Message: "out of memory"}}},
		{"CLIENT_ERROR bad\r\n", reply{size: -1, failure: &ServerError{Kind: ErrClientError, Message: "bad"}}},
		{"ERROR\r\n", reply{size: -1, failure: &ServerError{Kind: ErrUnsupported}}},
	}
	for _, tt := range tests {
		var got reply
		if err := parseReply([]byte(tt.line), &got); err != nil || !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%q:\ngot  %+v, %v\nwant %+v", tt.line, got, err, tt.want)
		}
	}
}

func TestParseReplyRefuses(t *testing.T) {
	for _, line := range []string{
		"", "\r\n", "HD", "HD\n", "HD\r", "H\r\n", "HDD\r\n", "hd\r\n", " HD\r\n", "VALUE foo 0 3\r\n", "STORED\r\n", "END\r\n",
		"VA\r\n", "VA \r\n", "VA x\r\n", "VA -1\r\n", "VA +1\r\n", "VA 1x\r\n", "VA 1073741825\r\n", "VA 99999999999999999999999\r\n",
		"VA 18446744073709551617\r\n", // 2^64 + 1, which is 1 where nobody looks for overflow
		"HD c\r\n", "HD c-1\r\n", "HD cx\r\n", "HD c18446744073709551616\r\n", "HD f4294967296\r\n", "HD t-2\r\n", "HD t\r\n",
		"HD h2\r\n", "HD h\r\n", "HD s\r\n", "HD l\r\n", "HD k\r\n", "HD O\r\n", "HD c1\rHD\r\n", "HD ka\rb\r\n", "SERVER_ERROR a\rb\r\n",
	} {
		var got reply
		if err := parseReply([]byte(line), &got); !errors.Is(err, ErrProtocol) {
			t.Errorf("%q: got %+v, %v, want ErrProtocol", line, got, err)
		}
	}
}

// naiveReply is parseReply in the simplest words: split, look at each field.
func naiveReply(line string) (status string, flags map[byte]string, ok bool) {
	text, ended := strings.CutSuffix(line, "\r\n")
	if !ended || strings.Contains(text, "\r") {
		return "", nil, false
	}
	fields := strings.Split(text, " ")
	flags = make(map[byte]string)
	for i, f := range fields[1:] {
		if fields[0] == "VA" && i == 0 {
			n, err := strconv.ParseUint(f, 10, 64)
			if err != nil || n > 1<<30 || len(f) > 20 || f[0] == '+' {
				return "", nil, false
			}
			flags['v'] = strconv.FormatUint(n, 10)
			continue
		}
		if f == "" {
			continue
		}
		bits := map[byte]int{'c': 64, 'f': 32, 'l': 32, 's': 30, 't': 32, 'h': 1}[f[0]]
		if n, err := strconv.ParseUint(f[1:], 10, 64); bits > 0 && f != "t-1" {
			over := f[0] == 's' && n > 1<<30 || f[0] != 's' && bits < 64 && n >= 1<<bits
			if err != nil || over || len(f) > 21 {
				return "", nil, false
			}
		}
		if (f[0] == 'k' || f[0] == 'O') && len(f) == 1 {
			return "", nil, false
		}
		flags[f[0]] = f[1:]
	}
	switch fields[0] {
	case "VA":
		return "VA", flags, flags['v'] != ""
	case "HD", "EN", "NF", "NS", "EX", "MN":
		return fields[0], flags, true
	}
	return "", nil, false
}

func checkAgainstNaive(line []byte) error {
	var got reply
	err := parseReply(line, &got)
	status, flags, ok := naiveReply(string(line))
	if err != nil {
		if !errors.Is(err, ErrProtocol) {
			return fmt.Errorf("error %v is not ErrProtocol", err)
		}
		if ok {
			return fmt.Errorf("refused: %v", err)
		}
		return nil
	}
	if got.failure != nil || got.Status == statusDebug {
		return nil // nothing in them to take apart
	}
	if !ok || got.Status.String() != status {
		return fmt.Errorf("got status %v, want %q, %v", got.Status, status, ok)
	}
	number := func(flag byte) uint64 { n, _ := strconv.ParseUint(flags[flag], 10, 64); return n }
	has := func(flag byte) bool { _, has := flags[flag]; return has }
	seconds := func(d time.Duration) uint64 { return uint64(d / time.Second) }
	ttl := number('t')
	if has('t') && flags['t'] != "-1" {
		ttl = max(ttl, 1)
	}
	switch {
	case got.CAS != number('c'), uint64(got.ClientFlags) != number('f'), uint64(got.Size) != number('s'),
		seconds(got.LastAccess) != number('l'), got.Hit != (number('h') == 1), seconds(got.TTL) != ttl,
		string(got.key) != flags['k'], string(got.opaque) != flags['O'],
		got.Won != has('W'), got.Stale != has('X'), got.Pending != has('Z'), got.keyEncoded != has('b'):
		return fmt.Errorf("got %+v, want %v", got, flags)
	case status == "VA" && uint64(got.size) != number('v'), status != "VA" && got.size != -1:
		return fmt.Errorf("got size %d, want %q", got.size, flags['v'])
	}
	for i, letter := range returnLetters {
		if asked := got.seen&(1<<i) != 0; letter != 'v' && asked != has(byte(letter)) {
			return fmt.Errorf("flag %c: got seen %v, want %v", letter, asked, has(byte(letter)))
		}
	}
	return nil
}

// FuzzReply feeds bytes to everything that reads from a server: the parser,
// against a naive one, and the reader of a connection that waits for single
// replies and for a batch. Nothing may panic, and what a caller is given is
// within bounds.
func FuzzReply(f *testing.F) {
	for _, seed := range []string{
		"HD\r\n", "EN\r\nHD c1 f2\r\n", "VA 3 f0 c9 t-1 kfoo O1\r\nabc\r\n", "VA 2 W X Z\r\nab\r\nEN\r\nMN\r\n", "VA 5\r\nab\r\n",
		"VA 3 O0\r\nabc\r\nHD O2\r\nSERVER_ERROR out of memory\r\nMN\r\n", "CLIENT_ERROR bad\r\nERROR\r\n", "ME foo exp=-1\r\n",
		"NS O1\r\nEX O2\r\nNF O3\r\nMN\r\n", "VA 1073741824\r\n", "HD kZm9v b O0\r\n", "HD k!!! b\r\n", "OK\r\n", "VERSION 1.6.18\r\n",
		strings.Repeat("x", 3000),
	} {
		f.Add([]byte(seed), uint8(0))
		f.Add([]byte(seed), uint8(7))
	}
	f.Fuzz(func(t *testing.T, data []byte, kind uint8) {
		for line := range strings.SplitAfterSeq(string(data), "\n") {
			if err := checkAgainstNaive([]byte(line)); err != nil {
				t.Errorf("%q: %v", line, err)
			}
		}
		checkReader(t, data, kind)
	})
}
