package demo

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/alicebob/miniredis/v2/server"
)

// The ports of embedded servers: below the ranges from which systems draw the
// ports of outgoing connections, where a client that dials a server which was
// killed could be given the server's port for its own end.
const (
	firstPort = 20000
	endPort   = 32000
)

// clockStep is how exact the clock of an embedded server is, and so the time to
// live of its keys.
const clockStep = 20 * time.Millisecond

const listening = "listening on "

// ServeEmbedded is a data server in this process: the commands of Redis that a
// cache needs. It says on out where it listens, and ends when in does, or with the
// context. It is for demonstrations only: keys that are no strings do not move.
func ServeEmbedded(ctx context.Context, in io.Reader, out io.Writer) error {
	e := &embedded{Miniredis: miniredis.NewMiniRedis()}
	if err := e.listen(); err != nil {
		return err
	}
	defer e.Close()
	e.advance()
	e.ClockTTL(true)
	e.inform()
	if _, err := fmt.Fprintln(out, listening+e.Addr()); err != nil {
		return err
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = io.Copy(io.Discard, in)
	}()
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// embedded is a server that would let no time pass by itself.
type embedded struct {
	*miniredis.Miniredis
	told atomic.Int64 // the time that it was told last, in ms since 1970
}

// advance tells the server the time. That shortens the times to live of all keys,
// and so is not done more often than it has to be.
func (e *embedded) advance() {
	now := time.Now().UTC()
	last := e.told.Load()
	if now.UnixMilli()-last >= clockStep.Milliseconds() && e.told.CompareAndSwap(last, now.UnixMilli()) {
		e.SetTime(now)
	}
}

func (e *embedded) listen() (err error) {
	for range 100 {
		port := firstPort + rand.IntN(endPort-firstPort)
		if err = e.StartAddr(net.JoinHostPort("127.0.0.1", strconv.Itoa(port))); err == nil {
			return nil
		}
	}
	return fmt.Errorf("embedded server: no free port from %d to %d: %w", firstPort, endPort-1, err)
}

// inform has the server know the time at each command, and answer the parts of INFO
// by which an agent sees what it speaks for.
func (e *embedded) inform() {
	parts := map[string]string{
		"server":      fmt.Sprintf("# Server\r\nredis_mode:standalone\r\nprocess_id:%d\r\nrun_id:%016x%016x\r\n", os.Getpid(), rand.Uint64(), rand.Uint64()),
		"replication": "# Replication\r\nrole:master\r\nconnected_slaves:0\r\n",
	}
	e.Server().SetPreHook(func(c *server.Peer, cmd string, args ...string) bool {
		// Commands of a script come here too, with the lock held that is needed to
		// tell the time: then it was told just before.
		if e.TryLock() {
			e.Unlock()
			e.advance()
		}
		if cmd != "INFO" || len(args) != 1 {
			return false
		}
		text, known := parts[strings.ToLower(args[0])]
		if strings.EqualFold(args[0], "memory") {
			text, known = fmt.Sprintf("# Memory\r\nused_memory:%d\r\nmaxmemory:0\r\nmaxmemory_policy:noeviction\r\n", heap()), true
		}
		if known {
			c.WriteBulk(text)
		}
		return known
	})
}

// heap is what the process uses for its data, in bytes.
func heap() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
