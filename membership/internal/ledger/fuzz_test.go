package ledger

import (
	"bytes"
	"testing"

	"github.com/ringway/ringway/membership"
)

// What decodes at all has one encoding, and is valid.

func FuzzDecodeMeta(f *testing.F) {
	meta, _ := goldenValues()
	f.Add("a", meta.Encode())
	f.Add("r", Meta{Cluster: "c", Kind: membership.Router, Epoch: 1}.Encode())
	f.Add("", []byte{Version})
	f.Add("a", []byte{Version + 1, 0})
	f.Fuzz(func(t *testing.T, name string, b []byte) {
		m, err := DecodeMeta(name, b)
		if err != nil {
			if m != (Meta{}) {
				t.Fatalf("an error and %+v", m)
			}
			return
		}
		if again := m.Encode(); !bytes.Equal(again, b) {
			t.Fatalf("%+v\nfrom %x\nto   %x", m, b, again)
		}
		if m.Kind != membership.Router && m.Record.Validate() != nil {
			t.Fatal(m.Record.Validate())
		}
	})
}

func FuzzDecodeMessage(f *testing.F) {
	_, message := goldenValues()
	f.Add(message.Encode())
	f.Add(Message{Cluster: "c"}.Encode())
	f.Add([]byte{Version, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1})
	f.Add([]byte{Version + 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := DecodeMessage(b)
		if err != nil {
			return
		}
		if again := m.Encode(); !bytes.Equal(again, b) {
			t.Fatalf("%+v\nfrom %x\nto   %x", m, b, again)
		}
		l := New()
		if l.Merge(m); l.Epoch() > MaxStamp {
			t.Fatalf("epoch %d", l.Epoch())
		}
	})
}
