package memcache

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// What we store, clients that speak the classic protocol find as they would
// find their own, and the other way round: bytes, flags, CAS, conditions. That the
// same calls through gomemcache do the same is shown in internal/bench, whose
// module has it: router_gomemcache_test.go.
func TestClassicClients(t *testing.T) {
	c, server := real(t)
	ctx := background(t)
	nc, err := net.Dial("tcp", server.Addr())
	must(t, err)
	defer nc.Close()
	must(t, nc.SetDeadline(time.Now().Add(patience)))
	in := bufio.NewReader(nc)
	classic := func(command string, block []byte) (line string, value []byte) {
		t.Helper()
		if block != nil {
			command = fmt.Sprintf("%s %d\r\n%s", command, len(block), block)
		}
		if _, err := io.WriteString(nc, command+"\r\n"); err != nil {
			t.Fatal(err)
		}
		line, err := in.ReadString('\n')
		must(t, err)
		var size int
		if n, _ := fmt.Sscanf(line, "VALUE %s %d %d", new(string), new(uint32), &size); n == 3 {
			value = make([]byte, size)
			_, err = io.ReadFull(in, value)
			must(t, err)
			rest := make([]byte, len("\r\nEND\r\n"))
			_, err = io.ReadFull(in, rest)
			must(t, err)
		}
		return strings.TrimSpace(line), value
	}

	value := []byte("\x00bytes\r\nEND\r\n")
	must(t, c.Set(ctx, Item{Key: "ours", Value: value, Flags: 4294967295}))
	item, err := c.Get(ctx, "ours")
	must(t, err)
	line, got := classic("gets ours", nil)
	if want := fmt.Sprintf("VALUE ours 4294967295 %d %d", len(value), item.CAS); line != want || !bytes.Equal(got, value) {
		t.Errorf("gets: got %q %q, want %q", line, got, want)
	}

	if line, _ := classic("set theirs 123 100", value); line != "STORED" {
		t.Fatal(line)
	}
	item, err = c.Get(ctx, "theirs")
	if err != nil || !bytes.Equal(item.Value, value) || item.Flags != 123 || item.CAS == 0 {
		t.Errorf("got %+v, %v", item, err)
	}
	wantError(t, c.Add(ctx, Item{Key: "theirs"}), ErrNotStored)
	if line, _ := classic("add ours 0 0", []byte("x")); line != "NOT_STORED" {
		t.Errorf("add: got %q", line)
	}
	if line, _ := classic("append theirs 0 0", []byte("+")); line != "STORED" {
		t.Errorf("append: got %q", line)
	}
	wantError(t, c.CompareAndSwap(ctx, item), ErrCASConflict)
	must(t, c.Prepend(ctx, Item{Key: "theirs", Value: []byte("-")}))
	if _, got := classic("get theirs", nil); string(got) != "-"+string(value)+"+" {
		t.Errorf("get: got %q", got)
	}
	must(t, c.Set(ctx, Item{Key: "n", Value: []byte("41")}))
	if line, _ := classic("incr n 1", nil); line != "42" {
		t.Errorf("incr: got %q", line)
	}
	wantCount(t, 41)(c.Decrement(ctx, "n", 1))
	if line, _ := classic("touch n 0", nil); line != "TOUCHED" {
		t.Errorf("touch: got %q", line)
	}
	must(t, c.Delete(ctx, "n"))
	if line, _ := classic("get n", nil); line != "END" {
		t.Errorf("get: got %q", line)
	}
}
