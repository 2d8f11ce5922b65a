package router

import (
	"bufio"
	"bytes"
	"context"
	"slices"
	"strings"
	"testing"
)

func TestReadCommand(t *testing.T) {
	for wire, want := range map[string][]string{
		"*1\r\n$4\r\nPING\r\n":                    {"PING"},
		"*2\r\n$9\r\nsubscribe\r\n$0\r\n\r\n":     {"subscribe", ""},
		"*2\r\n$1\r\na\r\n$4\r\n\r\n\x00\xff\r\n": {"a", "\r\n\x00\xff"},
	} {
		got, err := readCommand(bufio.NewReader(strings.NewReader(wire)))
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: %q, %v", wire, got, err)
		}
	}
	for _, wire := range []string{
		"", "\r\n", "PING\r\n", "*0\r\n", "*-1\r\n", "*x\r\n", "*+1\r\n$1\r\na\r\n", "*1\n$1\r\na\r\n", "*1\r\n$-1\r\n", "*1\r\n+a\r\n",
		"*1\r\n$1\r\nab\r\n", "*1\r\n$2\r\na", "*2\r\n$1\r\na\r\n", "*9999999999\r\n", "*1\r\n$999999999999\r\n",
		"*" + strings.Repeat("1", 5000) + "\r\n",
	} {
		if got, err := readCommand(bufio.NewReader(strings.NewReader(wire))); err == nil {
			t.Errorf("%q: %q", wire, got)
		}
	}
}

func FuzzReadCommand(f *testing.F) {
	f.Add([]byte("*2\r\n$9\r\nsubscribe\r\n$1\r\na\r\n"))
	f.Add([]byte("*3\r\n$4\r\nPING\r\n$2\r\n\r\n\r\n$0\r\n\r\n"))
	f.Fuzz(func(t *testing.T, wire []byte) {
		rd := bufio.NewReader(bytes.NewReader(wire))
		for {
			args, err := readCommand(rd)
			if err != nil {
				return
			}
			// What was read writes as what the outbox writes, and reads again.
			o := newOutbox()
			elements := make([]any, len(args))
			for i, arg := range args {
				elements[i] = arg
			}
			o.reply(elements...)
			again, err := readCommand(bufio.NewReader(bytes.NewReader(o.take())))
			if err != nil || !slices.Equal(again, args) {
				t.Fatalf("%q came back as %q, %v", args, again, err)
			}
		}
	})
}

func TestOutboxWaitsForRoom(t *testing.T) {
	o := newOutbox()
	o.reply("message", strings.Repeat("x", outboxLimit))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	o.waitForRoom(ctx) // full: returns because ctx has ended
	done := make(chan bool)
	go func() {
		o.waitForRoom(t.Context())
		close(done)
	}()
	select {
	case <-done:
		t.Error("a full outbox has room")
	default:
	}
	if batch := o.take(); len(batch) <= outboxLimit {
		t.Errorf("%d bytes", len(batch))
	}
	<-done
	o.reply("message", strings.Repeat("x", outboxLimit))
	go o.close()
	o.waitForRoom(t.Context())
	if batch := o.take(); batch != nil {
		t.Errorf("a closed outbox gave %d bytes", len(batch))
	}
}
