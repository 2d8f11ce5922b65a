package memcache

import (
	"context"
	"crypto/tls"
	"net"
	"strconv"
	"strings"
	"time"
)

// What a zero field of a Config stands for.
const (
	DefaultConns        = 2               // connections
	DefaultDialTimeout  = time.Second     // for a connection to open
	DefaultReplyTimeout = 2 * time.Second // without any reply that is due
	DefaultMaxValueSize = 1 << 20         // bytes
)

// Limits of what New accepts.
const (
	maxConns     = 64
	maxValueSize = 1 << 30 // memcached's own upper limit of -I
)

// Config says which server a Client speaks to, and how. Address is required;
// the zero value of everything else is a sound choice.
type Config struct {
	// Address of the server: "host:port", "[::1]:11211" or
	// "unix:///path/to/socket".
	Address string

	// TLS, if not nil, encrypts the connections. It is cloned; an empty
	// ServerName is filled with the host of Address.
	TLS *tls.Config

	// Conns is the largest number of connections; 0 means DefaultConns, more
	// than 64 is refused. They are shared by all callers. The first is opened
	// by the first call, each further one when those that are open have many
	// requests under way: a Client that is used by one goroutine has one
	// connection. Two or three suffice: more of them share fewer system calls
	// between callers.
	Conns int

	// DialTimeout bounds the opening of a connection, TLS and the first
	// exchange with the server included. 0 means DefaultDialTimeout.
	DialTimeout time.Duration

	// ReplyTimeout is how long a connection may go without any reply while
	// some are due, before it is given up and everything that waits on it
	// fails with ErrOverdue. 0 means DefaultReplyTimeout. It is the safety net
	// for a server that hangs, checked every quarter of it, and not the
	// deadline of a call: that is the context's. Make it longer than the
	// largest value takes on the slowest link, and than the network takes to
	// send a lost packet again.
	ReplyTimeout time.Duration

	// MaxValueSize is the longest value, in bytes, that is sent or returned. 0
	// means DefaultMaxValueSize. The server has a limit of its own (its option
	// -I, one mebibyte unless set), and counts the key and some 50 bytes
	// of header in.
	MaxValueSize int

	// EncodeKeys sends keys that the text protocol cannot carry (with spaces,
	// control characters or DEL) in base64 rather than refuse them. Only such
	// keys are encoded, up to MaxEncodedKey bytes of them. The server stores
	// the decoded key, so a key names the same item in either form.
	EncodeKeys bool

	// Dial, if not nil, opens the connections in place of a net.Dialer. The
	// network is "tcp" or "unix". TLS, if set, runs on top of what it returns.
	// It must return when the context ends.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// endpoint is where Config.Address leads to.
type endpoint struct {
	network, address string
	host             string // for TLS; empty with a Unix socket
}

// checked returns the Config with its zero fields filled, and its address taken
// apart.
func (c Config) checked() (Config, endpoint, error) {
	at, err := parseAddress(c.Address)
	if err != nil {
		return c, at, err
	}
	for _, d := range []struct {
		name  string
		value *time.Duration
		unset time.Duration
	}{
		{"DialTimeout", &c.DialTimeout, DefaultDialTimeout},
		{"ReplyTimeout", &c.ReplyTimeout, DefaultReplyTimeout},
	} {
		if *d.value < 0 {
			return c, at, &InputError{Err: ErrInvalidConfig, Field: d.name, Value: *d.value, Want: "a duration above 0, or 0 for " + d.unset.String()}
		}
		if *d.value == 0 {
			*d.value = d.unset
		}
	}
	if c.Conns < 0 || c.Conns > maxConns {
		return c, at, &InputError{Err: ErrInvalidConfig, Field: "Conns", Value: c.Conns, Want: "0 to " + strconv.Itoa(maxConns)}
	}
	if c.Conns == 0 {
		c.Conns = DefaultConns
	}
	if c.MaxValueSize < 0 || c.MaxValueSize > maxValueSize {
		return c, at, &InputError{Err: ErrInvalidConfig, Field: "MaxValueSize", Value: c.MaxValueSize, Want: "0 to " + strconv.Itoa(maxValueSize)}
	}
	if c.MaxValueSize == 0 {
		c.MaxValueSize = DefaultMaxValueSize
	}
	if c.TLS != nil {
		c.TLS = c.TLS.Clone()
		if c.TLS.ServerName == "" {
			c.TLS.ServerName = at.host
		}
	}
	return c, at, nil
}

func parseAddress(address string) (endpoint, error) {
	refused := &InputError{Err: ErrInvalidConfig, Field: "Address", Value: address, Want: `"host:port" or "unix:///path"`}
	if path, isUnix := strings.CutPrefix(address, "unix://"); isUnix {
		if !strings.HasPrefix(path, "/") {
			return endpoint{}, refused
		}
		return endpoint{network: "unix", address: path}, nil
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil || host == "" {
		return endpoint{}, refused
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return endpoint{}, refused
	}
	return endpoint{network: "tcp", address: address, host: host}, nil
}
