package cache

import (
	"sync"
	"time"
)

// busInbox notices what did not arrive: by the numbers of each sender's messages,
// by its digests, which say what the last number is, and by silence.
type busInbox struct {
	self    [16]byte
	patient time.Duration // silence beyond which messages must be missing
	missing time.Duration // silence up to which who sent them is missed; 0: not at all
	to      Listener

	mu       sync.Mutex // held while the listener is called, so that it hears one at a time
	channels []busHeard
}

// busHeard is what was heard on one channel.
type busHeard struct {
	hearing bool
	last    time.Time // any message, our own among them
	senders map[[16]byte]busSender
}

type busSender struct {
	number uint64    // of its last message with changes
	last   time.Time // when it was heard
	silent bool      // for longer than is usual: it is missed
	ended  bool      // it has said so
}

// More senders than this on a channel are not told apart: all are forgotten, and
// are new when they are heard next.
const maxBusSenders = 4096

func newBusInbox(self [16]byte, channels int, patient time.Duration, to Listener) *busInbox {
	in := &busInbox{self: self, patient: patient, to: to, channels: make([]busHeard, channels)}
	for i := range in.channels {
		in.channels[i].senders = make(map[[16]byte]busSender)
	}
	return in
}

// Message is Receiver.Message.
func (in *busInbox) Message(channel int, data []byte) {
	if channel < 0 || channel >= len(in.channels) {
		return
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	m, err := decodeBusMessage(data)
	if err != nil {
		// From a newer version perhaps: it may have been any change.
		in.to.Doubt(in.deaf())
		return
	}
	now := time.Now()
	h := &in.channels[channel]
	resumed := !h.hearing || h.senders[m.sender].silent
	h.hearing, h.last = true, now
	missed := m.sender != in.self && h.take(m, now)
	if m.sender != in.self {
		for _, c := range m.changes {
			in.to.Changed(c)
		}
	}
	if resumed || missed {
		in.to.Doubt(in.deaf())
	}
}

// take notes a message, and says whether one before it is missing.
func (h *busHeard) take(m busMessage, now time.Time) (missed bool) {
	s, known := h.senders[m.sender] // of one that is new, nothing is known: number 0
	switch {
	case m.kind == busChanges:
		missed = m.number > s.number+1
	default:
		missed = m.number > s.number
	}
	if !known && len(h.senders) >= maxBusSenders {
		clear(h.senders)
		missed = true
	}
	// One that has ended is kept for a while: it may say so more than once.
	h.senders[m.sender] = busSender{number: max(s.number, m.number), last: now, ended: m.kind == busFarewell || s.ended}
	return missed
}

// Broken is Receiver.Broken.
func (in *busInbox) Broken() {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.to.Doubt(in.deaf())
}

// look notices silence. It is called a few times in the time of patience.
func (in *busInbox) look(now time.Time) {
	in.mu.Lock()
	defer in.mu.Unlock()
	missed := false
	for i := range in.channels {
		h := &in.channels[i]
		if h.hearing && now.Sub(h.last) > in.patient {
			h.hearing, missed = false, true
			if in.missing == 0 {
				clear(h.senders)
			}
		}
		missed = in.lookAround(h, now) || missed
	}
	if missed {
		in.to.Doubt(in.deaf())
	}
}

// lookAround says whether a sender has fallen silent, or need not be missed any more.
// mu is held.
func (in *busInbox) lookAround(h *busHeard, now time.Time) (changed bool) {
	for id, s := range h.senders {
		silence := now.Sub(s.last)
		switch {
		case silence <= in.patient:
		case s.ended:
			delete(h.senders, id)
		case silence > in.missing:
			// It has died, and what it told last may be lost; or it tells others.
			delete(h.senders, id)
			changed = true
		case !s.silent:
			s.silent = true
			h.senders[id] = s
			changed = true
		}
	}
	return changed
}

// deaf says whether there is a channel that nothing is heard on, or a sender that is
// missed. mu is held.
func (in *busInbox) deaf() bool {
	for i := range in.channels {
		if !in.channels[i].hearing {
			return true
		}
		for _, s := range in.channels[i].senders {
			if s.silent {
				return true
			}
		}
	}
	return false
}

func (in *busInbox) hears(channel int) bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.channels[channel].hearing
}

// silent says whether nothing at all is heard.
func (in *busInbox) silent() bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	for i := range in.channels {
		if in.channels[i].hearing {
			return false
		}
	}
	return true
}
