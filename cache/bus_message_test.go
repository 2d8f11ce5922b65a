package cache

import (
	"bytes"
	"reflect"
	"slices"
	"testing"
)

func manyChanges(n int) (changes []Change) {
	for i := range n {
		c := Change{Space: []string{"user/3", "order/1"}[i%2], All: i%7 == 0}
		c.Key[0], c.Key[1] = byte(i), byte(i>>8)
		changes = append(changes, c)
	}
	slices.SortFunc(changes, compareChanges)
	return changes
}

func TestBusMessage(t *testing.T) {
	for _, m := range []busMessage{
		{kind: busDigest, sender: [16]byte{1}, number: 1 << 63},
		{kind: busFarewell, sender: [16]byte{2}},
		{kind: busChanges, sender: [16]byte{3}, number: 4, changes: manyChanges(1)},
		{kind: busChanges, sender: [16]byte{3}, number: 4, changes: manyChanges(busBatch)},
	} {
		data := m.encode()
		got, err := decodeBusMessage(data)
		if err != nil || !reflect.DeepEqual(got, m) {
			t.Errorf("kind %d with %d changes: %d, %v", m.kind, len(m.changes), len(got.changes), err)
		}
		if len(data) > 20_000 {
			t.Errorf("%d bytes", len(data))
		}
	}
}

func FuzzBusMessage(f *testing.F) {
	good := busMessage{kind: busChanges, number: 1, changes: manyChanges(9)}.encode()
	f.Add(good)
	f.Add(good[:len(good)-1])
	f.Add(busMessage{kind: busDigest}.encode())
	f.Add([]byte("rwb1"))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := decodeBusMessage(data)
		if err != nil {
			if len(m.changes) > 0 {
				t.Error("changes beside an error")
			}
			return
		}
		again, err := decodeBusMessage(m.encode())
		if err != nil || again.number != m.number || len(again.changes) != len(m.changes) || !bytes.Equal(again.encode(), m.encode()) {
			t.Errorf("%+v became %+v, %v", m, again, err)
		}
	})
}
