package journal

import (
	"bytes"
	"errors"
	"testing"
	"time"
)

func FuzzUnframe(f *testing.F) {
	f.Add(uint64(7), Frame(7, []byte("data")))
	f.Add(uint64(0), Frame(0, nil))
	f.Add(uint64(8), Frame(7, []byte("data")))
	f.Add(uint64(0), []byte(frameMagic))
	f.Fuzz(func(t *testing.T, number uint64, framed []byte) {
		data, err := Unframe(number, framed)
		if err != nil {
			if !errors.Is(err, ErrDamaged) {
				t.Errorf("%v, want ErrDamaged", err)
			}
			return
		}
		if again := Frame(number, data); !bytes.Equal(again, framed) {
			t.Errorf("%x is framed to %x", framed, again)
		}
	})
}

// Each bit counts, and so does the number.
func TestUnframe(t *testing.T) {
	framed := Frame(7, []byte("data"))
	if data, err := Unframe(7, framed); err != nil || string(data) != "data" {
		t.Fatalf("%q, %v", data, err)
	}
	if _, err := Unframe(8, framed); !errors.Is(err, ErrDamaged) {
		t.Errorf("under another number: %v", err)
	}
	for i := range 8 * len(framed) {
		framed[i/8] ^= 1 << (i % 8)
		if _, err := Unframe(7, framed); !errors.Is(err, ErrDamaged) {
			t.Errorf("bit %d: %v", i, err)
		}
		framed[i/8] ^= 1 << (i % 8)
	}
}

func TestNumberAt(t *testing.T) {
	const ms = 1_700_000_000_000
	n := NumberAt(ms)
	if got := (Record{Number: n + 5}).Time(); !got.Equal(time.UnixMilli(ms)) {
		t.Errorf("%v, want %v", got, time.UnixMilli(ms))
	}
	if NumberAt(ms+1) <= n || NumberAt(-1) == 0 || n >= 1<<63 {
		t.Errorf("numbers %d, %d, %d", n, NumberAt(ms+1), NumberAt(-1))
	}
}
