package agentapi

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/ringway/ringway/membership"
)

// FuzzRing: nothing panics, and what passes comes back unchanged from another
// round.
func FuzzRing(f *testing.F) {
	whole, err := os.ReadFile(filepath.Join("testdata", "ring.json"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	f.Add(whole[:len(whole)/2])
	f.Add([]byte(`{"schema":"ringway.ring/1","members":[{"id":"a","weight":1e999}],"transitions":{"redis":null}}`))
	f.Add([]byte(`{"schema":"ringway.ring/1","members":null,"disagree":[null],"fingerprints":{"redis":""}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		r, err := ReadRing(bytes.NewReader(body))
		if err != nil {
			return
		}
		r.View()
		sign(&r)
		v, err := r.View()
		if err != nil {
			return
		}
		text, err := json.Marshal(ringOf(t, v, r.Placement))
		if err != nil {
			t.Fatal(err)
		}
		again, err := ReadRing(bytes.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		w, err := again.View()
		if err != nil || !reflect.DeepEqual(v, w) {
			t.Errorf("got  %+v, %v\nwant %+v", w, err, v)
		}
	})
}

// sign makes fingerprint and transitions fit the members, so that the fuzzer
// gets past them.
func sign(r *Ring) {
	members, err := r.members()
	if err != nil {
		return
	}
	v, err := membership.NewView(r.Epoch, members...)
	if err != nil {
		return
	}
	v.Fingerprints, _ = r.fingerprints()
	r.Fingerprint = fingerprint(v, r.Placement)
	r.Transitions = make(map[membership.Kind]Transition)
	for _, kind := range nodeKinds {
		if number, phase := v.Transition(kind); phase != membership.Stable {
			r.Transitions[kind] = Transition{number, phase.String()}
		}
	}
}

func FuzzMembers(f *testing.F) {
	whole, err := os.ReadFile(filepath.Join("testdata", "members.json"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	f.Add(whole[:len(whole)/2])
	f.Fuzz(func(t *testing.T, body []byte) {
		m, err := ReadMembers(bytes.NewReader(body))
		if err != nil {
			return
		}
		text, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ReadMembers(bytes.NewReader(text)); err != nil {
			t.Error(err)
		}
	})
}
