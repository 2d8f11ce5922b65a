package proofs

import "testing"

// attributes is a test that keeps what is recorded.
type attributes struct {
	testing.TB
	values []string
	errors int
}

func (a *attributes) Attr(key, value string) {
	if key == Attribute {
		a.values = append(a.values, value)
	}
}

func (a *attributes) Errorf(string, ...any) { a.errors++ }

func TestRecord(t *testing.T) {
	t.Setenv("RINGWAY_SOAK", "1")
	a := &attributes{TB: t}
	want := Row{Proof: "stampede", Got: "3 × \"10,000\"\ncallers", Seed: 7, Full: true}
	Record(a, want)
	t.Setenv("RINGWAY_SOAK", "")
	Record(a, Row{Proof: "stampede", Got: "1", Full: true})
	if len(a.values) != 2 || a.errors > 0 {
		t.Fatalf("%q, %d errors", a.values, a.errors)
	}
	if got, err := Parse(a.values[0]); err != nil || got != want {
		t.Errorf("%+v, %v; want %+v", got, err, want)
	}
	if got, err := Parse(a.values[1]); err != nil || got.Full {
		t.Errorf("%+v, %v; want one that is not in full size", got, err)
	}
	for _, bad := range []Row{{}, {Proof: "x"}, {Got: "1"}} {
		Record(a, bad)
	}
	if a.errors != 3 || len(a.values) != 2 {
		t.Errorf("%d errors of 3 bad rows, %d recorded", a.errors, len(a.values)-2)
	}
	if _, err := Parse("{"); err == nil {
		t.Error("half a row: no error")
	}
}
