package cache

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
)

// busMessage is what processes send each other. On the wire, numbers big endian:
//
//	magic 4 · kind 1 · sender 16 · number 8 · groups of changes …
//	group: length of the space's name 1 · name · flags 1 · keys 2 · keys, 16 each
//
// Messages with changes are numbered from 1, by sender and channel. A digest has
// the number of the last of them, and so has the farewell of a process that ends.
type busMessage struct {
	kind    busKind
	sender  [16]byte // random: another one for each run of a process
	number  uint64
	changes []Change
}

type busKind byte

const (
	busChanges  busKind = 1
	busDigest   busKind = 2
	busFarewell busKind = 3

	busMagic   = "rwb1"
	busHeader  = 4 + 1 + 16 + 8
	busAllFlag = 1

	// The most changes that a message takes: 16 kB of keys.
	busBatch = 1000
)

var errBusMessage = errors.New("cache: bus: not a message")

func (m busMessage) encode() []byte {
	out := make([]byte, 0, busHeader+len(m.changes)*(16+8))
	out = append(append(out, busMagic...), byte(m.kind))
	out = append(out, m.sender[:]...)
	out = binary.BigEndian.AppendUint64(out, m.number)
	slices.SortFunc(m.changes, compareChanges)
	for rest := m.changes; len(rest) > 0; {
		first := rest[0]
		n := 1
		for n < len(rest) && rest[n].Space == first.Space && rest[n].All == first.All {
			n++
		}
		out = append(append(out, byte(len(first.Space))), first.Space...)
		flags := byte(0)
		if first.All {
			flags = busAllFlag
		}
		out = binary.BigEndian.AppendUint16(append(out, flags), uint16(n))
		for _, c := range rest[:n] {
			out = append(out, c.Key[:]...)
		}
		rest = rest[n:]
	}
	return out
}

// busSize counts the bytes of a message that grows.
type busSize struct {
	bytes  int
	groups map[Change]struct{} // their heads: without a key
}

// add counts a change, and reports false, and counts nothing, if that were more than
// the longest.
func (s *busSize) add(c Change, longest int) bool {
	head := Change{Space: c.Space, All: c.All}
	more := len(c.Key)
	_, there := s.groups[head]
	if !there {
		more += 1 + len(c.Space) + 3
	}
	if s.bytes+more > longest {
		return false
	}
	s.bytes += more
	if s.groups == nil {
		s.groups = make(map[Change]struct{})
	}
	s.groups[head] = struct{}{}
	return true
}

func compareChanges(a, b Change) int {
	if a.All != b.All {
		if a.All {
			return -1
		}
		return 1
	}
	return cmp.Compare(a.Space, b.Space)
}

// decodeBusMessage returns the message, or an error for anything that encode has
// not made.
func decodeBusMessage(data []byte) (m busMessage, err error) {
	if len(data) < busHeader || string(data[:4]) != busMagic {
		return m, fmt.Errorf("%w: %d bytes", errBusMessage, len(data))
	}
	m.kind, m.sender, m.number = busKind(data[4]), [16]byte(data[5:21]), binary.BigEndian.Uint64(data[21:])
	if m.kind < busChanges || m.kind > busFarewell {
		return busMessage{}, fmt.Errorf("%w: kind %d", errBusMessage, m.kind)
	}
	for rest := data[busHeader:]; len(rest) > 0; {
		if m.changes, rest, err = decodeGroup(m.changes, rest); err != nil {
			return busMessage{}, err
		}
	}
	return m, nil
}

func decodeGroup(changes []Change, data []byte) ([]Change, []byte, error) {
	name := int(data[0])
	if len(data) < 1+name+3 {
		return nil, nil, fmt.Errorf("%w: a group ends within its head", errBusMessage)
	}
	c := Change{Space: string(data[1 : 1+name])}
	data = data[1+name:]
	if data[0]&^busAllFlag != 0 {
		return nil, nil, fmt.Errorf("%w: flags %#x", errBusMessage, data[0])
	}
	c.All = data[0] == busAllFlag
	n := int(binary.BigEndian.Uint16(data[1:]))
	if data = data[3:]; n == 0 || len(data) < n*16 {
		return nil, nil, fmt.Errorf("%w: %d keys in %d bytes", errBusMessage, n, len(data))
	}
	for i := range n {
		c.Key = [16]byte(data[i*16:])
		changes = append(changes, c)
	}
	return changes, data[n*16:], nil
}
