package cache

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
)

// script is a Listener that writes down what it hears.
type script struct {
	mu   sync.Mutex // guards said
	said []string
}

func (s *script) Changed(c Change) { s.say(fmt.Sprint("changed ", c.Key[0])) }
func (s *script) Doubt(deaf bool)  { s.say(fmt.Sprint("doubt ", deaf)) }

func (s *script) say(line string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.said = append(s.said, line)
}

func (s *script) take() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer func() { s.said = nil }()
	return strings.Join(s.said, ", ")
}

const (
	other = byte(8)
	own   = byte(9)
)

func message(kind busKind, sender byte, number uint64, keys ...byte) []byte {
	m := busMessage{kind: kind, sender: [16]byte{sender}, number: number}
	for _, k := range keys {
		m.changes = append(m.changes, Change{Space: "user/3", Key: [16]byte{k}})
	}
	return m.encode()
}

func hearing(t *testing.T) (*busInbox, *script) {
	t.Helper()
	said := &script{}
	in := newBusInbox([16]byte{own}, 1, 6*time.Second, said)
	in.Message(0, message(busDigest, own, 0))
	if got := said.take(); got != "doubt false" {
		t.Fatalf("the first message: %q", got)
	}
	return in, said
}

func TestBusInbox(t *testing.T) {
	for _, tt := range []struct {
		name  string
		heard [][]byte
		want  string
	}{
		{"our own", [][]byte{message(busChanges, own, 1, 1), message(busChanges, own, 5, 1)}, ""},
		{"in order", [][]byte{message(busChanges, other, 1, 1), message(busDigest, other, 1), message(busChanges, other, 2, 2, 3)}, "changed 1, changed 2, changed 3"},
		{"a gap", [][]byte{message(busChanges, other, 1, 1), message(busChanges, other, 3, 3)}, "changed 1, changed 3, doubt false"},
		{"a gap at the end", [][]byte{message(busChanges, other, 1, 1), message(busDigest, other, 2), message(busDigest, other, 2)}, "changed 1, doubt false"},
		{"new, with a past", [][]byte{message(busDigest, other, 7), message(busDigest, other, 7)}, "doubt false"},
		{"new, without one", [][]byte{message(busDigest, other, 0), message(busChanges, other, 1, 1)}, "changed 1"},
		{"late", [][]byte{message(busChanges, other, 2, 2), message(busChanges, other, 1, 1), message(busChanges, other, 3, 3)}, "changed 2, doubt false, changed 1, changed 3"},
		{"a farewell", [][]byte{message(busChanges, other, 1, 1), message(busFarewell, other, 1)}, "changed 1"},
		{"a farewell with a gap", [][]byte{message(busFarewell, other, 2)}, "doubt false"},
		{"not understood", [][]byte{[]byte("rwb9 and more")}, "doubt false"},
	} {
		in, said := hearing(t)
		for _, data := range tt.heard {
			in.Message(0, data)
		}
		in.Message(1, message(busChanges, other, 9, 9)) // there is no such channel
		if got := said.take(); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestBusInboxSilence(t *testing.T) {
	in, said := hearing(t)
	in.Message(0, message(busDigest, other, 0))
	now := time.Now()
	if in.look(now.Add(5 * time.Second)); said.take() != "" {
		t.Error("doubt before its time")
	}
	in.channels[0].last = now.Add(5 * time.Second) // our own digests arrive
	if in.look(now.Add(7 * time.Second)); said.take() != "doubt false" {
		t.Error("a sender that is silent")
	}
	if in.look(now.Add(8 * time.Second)); said.take() != "" {
		t.Error("twice for one that is silent")
	}
	if in.look(now.Add(12 * time.Second)); said.take() != "doubt true" || !in.silent() || in.hears(0) {
		t.Error("a channel that is silent")
	}
	if in.Broken(); said.take() != "doubt true" {
		t.Error("a connection made anew is not heard yet")
	}
	if in.Message(0, message(busDigest, own, 0)); said.take() != "doubt false" || in.silent() {
		t.Error("heard again")
	}
}

// Whoever sends under ever new names takes no more memory than so much.
func TestBusInboxIsBounded(t *testing.T) {
	in, said := hearing(t)
	m := busMessage{kind: busDigest}
	for i := range 3 * maxBusSenders {
		m.sender = [16]byte{byte(i), byte(i >> 8), byte(i >> 16)}
		in.Message(0, m.encode())
	}
	if n := len(in.channels[0].senders); n > maxBusSenders {
		t.Errorf("%d senders", n)
	}
	if said.take() == "" {
		t.Error("forgotten without doubt")
	}
}
