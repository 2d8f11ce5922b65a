package simulations

import (
	"testing"

	"github.com/ringway/ringway/ring"
	"github.com/ringway/ringway/simulations/lru"
)

func TestParseCapacity(t *testing.T) {
	for text, want := range map[string]Capacity{
		"1": {Items: 1}, "4000": {Items: 4000}, "64MB": {Bytes: 64_000_000}, "64mib": {Bytes: 64 << 20},
		"7B": {Bytes: 7}, "2kB": {Bytes: 2000}, "2KiB": {Bytes: 2048}, "1TiB": {Bytes: 1 << 40}, "3GB": {Bytes: 3e9},
	} {
		got, err := ParseCapacity(text)
		if err != nil || got != want {
			t.Errorf("ParseCapacity(%q) = %+v, %v, want %+v", text, got, err, want)
		}
		if again, err := ParseCapacity(got.String()); err != nil || again != got {
			t.Errorf("%q comes back as %+v, %v", got, again, err)
		}
	}
	for _, text := range []string{"", "0", "-1", "+1", "MB", "1.5GB", "64 MB", "64XB", "1e3", "0MB", "99999999999", "99999999TB", "9223372036854775808", "1,2"} {
		if got, err := ParseCapacity(text); err == nil || got != (Capacity{}) {
			t.Errorf("ParseCapacity(%q) = %+v, %v", text, got, err)
		}
	}
	if got, err := ParseCapacities("1000,5kB"); err != nil || len(got) != 2 || got[1].Bytes != 5000 {
		t.Errorf("ParseCapacities = %v, %v", got, err)
	}
	if got, err := ParseCapacities("1000,"); err == nil || got != nil {
		t.Errorf("ParseCapacities = %v, %v", got, err)
	}
}

func FuzzParseCapacity(f *testing.F) {
	for _, text := range []string{"4000", "64MB", "1TiB", "-1", "b"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := ParseCapacity(text)
		if err != nil {
			return
		}
		if err := got.validate(); err != nil {
			t.Fatal(err)
		}
		if again, err := ParseCapacity(got.String()); err != nil || again != got {
			t.Fatalf("%q is %+v, which comes back as %+v, %v", text, got, again, err)
		}
	})
}

// A node's capacity is in proportion to its weight, and never nothing.
func TestCapacityTimes(t *testing.T) {
	for _, c := range []struct {
		capacity Capacity
		weight   float64
		want     Capacity
	}{
		{Capacity{Items: 4000}, 1, Capacity{Items: 4000}},
		{Capacity{Items: 4000}, 2.5, Capacity{Items: 10_000}},
		{Capacity{Items: 1}, 0.001, Capacity{Items: 1}},
		{Capacity{Bytes: 5}, 0.3, Capacity{Bytes: 2}},
		{Capacity{Bytes: 1}, 0.1, Capacity{Bytes: 1}},
		{Capacity{Bytes: MaxBytes}, ring.MaxWeight, Capacity{Bytes: MaxBytes}},
		{Capacity{Items: lru.MaxItems}, 2, Capacity{Items: lru.MaxItems}},
	} {
		if got := c.capacity.times(c.weight); got != c.want {
			t.Errorf("%+v times %v = %+v, want %+v", c.capacity, c.weight, got, c.want)
		}
	}
}
