package agentapi

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

const goodRebalance = `{"schema":"ringway.rebalance/1","id":"a","kind":"redis","node_state":"ACTIVE","transition":7,"phase":"importing","state":"moving","keys_left":-1,"seconds_left":-1,"a_later_field":1}`

// TestReadRebalance: what is not known is passed over, and what cannot be is refused.
func TestReadRebalance(t *testing.T) {
	if r, err := ReadRebalance(strings.NewReader(goodRebalance)); err != nil || r.ID != "a" || r.Transition != 7 || r.KeysLeft != -1 {
		t.Errorf("%+v, %v", r, err)
	}
	for from, to := range map[string]string{
		`/1"`:             `/2"`,
		`"id":"a"`:        `"id":""`,
		`"ACTIVE"`:        `"` + strings.Repeat("x", 65) + `"`,
		`:7`:              `:4503599627370496`,
		`"keys_left":-1`:  `"keys_left":-2`,
		`"seconds_left"`:  `"keys_per_second":-1,"x"`,
		`"a_later_field"`: `"pass":-1,"x"`,
		`}`:               ``,
	} {
		if r, err := ReadRebalance(strings.NewReader(strings.Replace(goodRebalance, from, to, 1))); err == nil || r.ID != "" {
			t.Errorf("%s: %+v, %v", to, r, err)
		}
	}
}

// FuzzReadRebalance: no input panics, and what is accepted is accepted again.
func FuzzReadRebalance(f *testing.F) {
	f.Add([]byte(goodRebalance))
	f.Add([]byte(`{"schema":"ringway.rebalance/1","id":"a","big_keys":[{"key":"k"}],"receivers":[{"id":"b"}]}`))
	f.Add([]byte("{"))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := ReadRebalance(bytes.NewReader(b))
		if err != nil {
			return
		}
		again, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ReadRebalance(bytes.NewReader(again)); err != nil {
			t.Fatalf("%s: %v", again, err)
		}
	})
}
