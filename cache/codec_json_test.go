package cache

import (
	"encoding/json"
	"errors"
	"math/big"
	"strings"
	"testing"
	"time"
)

type (
	Inner       struct{ Street string }
	base        struct{ ID int }
	pair[T any] struct{ First, Second T }
	linked      struct {
		Value int
		Next  *linked
	}
	sealed struct{ secret int } // with a text of its own
)

func (s sealed) MarshalJSON() ([]byte, error) { return json.Marshal(s.secret) }

func (s *sealed) UnmarshalJSON(b []byte) error { return json.Unmarshal(b, &s.secret) }

// What JSON would lose is named when the space is made, not missed by the second Get.
func TestJSONLosesNothingSilently(t *testing.T) {
	check := func(name string, err error, field string) {
		t.Helper()
		switch {
		case field == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case field != "" && (!errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), "field "+field+" of ")):
			t.Errorf("%s: %v, want an error that names %s", name, err, field)
		}
	}
	check("unexported", newSpaceOf[struct{ A, b int }](t, nil), "b")
	check("left out", newSpaceOf[struct {
		A int
		B int `json:"-"`
	}](t, nil), "B")
	check("below", newSpaceOf[[]map[string]struct{ Home *struct{ street string } }](t, nil), "Home.street")
	check("embedded", newSpaceOf[struct {
		base
		*Inner
		pair[string]
	}](t, nil), "")
	check("embedded pointer that JSON cannot make", newSpaceOf[struct{ *base }](t, nil), "base")
	check("embedded, no struct", newSpaceOf[struct{ plain }](t, nil), "plain")
	check("generic", newSpaceOf[pair[linked]](t, nil), "")
	check("generic, of what is lost", newSpaceOf[pair[struct{ a int }]](t, nil), "First.a")
	check("a text of its own", newSpaceOf[struct {
		At   time.Time
		Sum  *big.Int
		Seal sealed
		Raw  json.RawMessage
		Any  any
		_    int
	}](t, nil), "")
	check("plain", errors.Join(newSpaceOf[int](t, nil), newSpaceOf[[]byte](t, nil), newSpaceOf[*user](t, nil), newSpaceOf[any](t, nil)), "")
	check("JSON on purpose", newSpaceOf[struct{ A, b int }](t, JSON[struct{ A, b int }]{}), "")
}

type plain int

// newSpaceOf makes a space of such values.
func newSpaceOf[V any](t *testing.T, codec Codec[V]) error {
	t.Helper()
	m := newManager(t, NewMemory())
	_, err := NewSpace(m, SpaceConfig[userKey, V]{Name: "values", Codec: codec})
	return errors.Join(err, m.Close())
}
