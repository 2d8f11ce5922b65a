package bench_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ringway/ringway/internal/servertest"
)

// probe is a connection to a memcached that belongs to neither client, and looks
// at what they have done to it.
type probe struct {
	t    *testing.T
	conn net.Conn
	in   *bufio.Reader
}

func newProbe(t *testing.T, server *servertest.Server) *probe {
	t.Helper()
	network := "tcp"
	if strings.HasPrefix(server.Addr(), "/") {
		network = "unix"
	}
	conn, err := net.DialTimeout(network, server.Addr(), patience)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &probe{t, conn, bufio.NewReader(conn)}
}

func (p *probe) send(text string) {
	p.t.Helper()
	if err := p.conn.SetDeadline(time.Now().Add(patience)); err != nil {
		p.t.Fatal(err)
	}
	if _, err := io.WriteString(p.conn, text); err != nil {
		p.t.Fatal(err)
	}
}

func (p *probe) line() string {
	p.t.Helper()
	line, err := p.in.ReadString('\n')
	if err != nil {
		p.t.Fatal(err)
	}
	return strings.TrimSuffix(line, "\r\n")
}

// flush empties the server.
func (p *probe) flush() {
	p.t.Helper()
	p.send("flush_all\r\n")
	if got := p.line(); got != "OK" {
		p.t.Fatalf("flush_all: got %q, want OK", got)
	}
}

// has reports whether the server holds the key.
func (p *probe) has(key string) bool {
	p.t.Helper()
	p.send("mg " + key + "\r\n")
	return p.line() == "HD"
}

// dump returns what the server holds under the keys, an item a line: value,
// flags and time to live. Of the latter it gives no more than thousands of
// seconds, since the server's clock goes on between two dumps.
func (p *probe) dump(keys []string) (items []string) {
	p.t.Helper()
	var request strings.Builder
	for _, key := range keys {
		fmt.Fprintf(&request, "mg %s s f t v\r\n", key)
	}
	p.send(request.String())
	for _, key := range keys {
		if item := p.item(); item != "" {
			items = append(items, fmt.Sprintf("%q %s", key, item))
		}
	}
	return items
}

// item reads an answer to mg, "" for a miss.
func (p *probe) item() string {
	p.t.Helper()
	head := p.line()
	if head == "EN" {
		return ""
	}
	fields := strings.Fields(head) // VA size s… f… t…
	if len(fields) != 5 || fields[0] != "VA" {
		p.t.Fatalf("mg: got %q, want VA, EN or HD", head)
	}
	size, err := strconv.Atoi(fields[1])
	if err != nil {
		p.t.Fatalf("mg: got %q: %v", head, err)
	}
	value := make([]byte, size+len("\r\n"))
	if _, err := io.ReadFull(p.in, value); err != nil {
		p.t.Fatal(err)
	}
	left := "for ever"
	if seconds, err := strconv.Atoi(fields[4][1:]); err != nil {
		p.t.Fatalf("mg: got %q: %v", head, err)
	} else if seconds >= 0 {
		left = fmt.Sprintf("for about %d thousand seconds", (seconds+500)/1000)
	}
	return fmt.Sprintf("%q flags %s %s", value[:size], fields[3][1:], left)
}
