package agentapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/ringway/ringway/membership"
)

// Bounds of what is accepted from an agent.
const (
	MaxBody    = 64 << 20 // bytes
	MaxMembers = 100_000

	maxKinds = 64 // entries of a map from kinds
)

// ReadRing reads an answer to RingPath to its end, and no more than MaxBody
// bytes. What it says is still to be checked: see Ring.View.
func ReadRing(body io.Reader) (Ring, error) {
	var r Ring
	err := read(body, &r, RingSchema)
	if err != nil {
		return Ring{}, fmt.Errorf("agentapi: ring: %w", err)
	}
	return r, nil
}

// ReadMembers reads an answer to MembersPath in the same way, and checks it.
func ReadMembers(body io.Reader) (Members, error) {
	var m Members
	err := read(body, &m, MembersSchema)
	if err == nil {
		err = m.check()
	}
	if err != nil {
		return Members{}, fmt.Errorf("agentapi: members: %w", err)
	}
	return m, nil
}

// read decodes one JSON document. The schema is looked at first: if it is another
// one, that is the reason why the rest cannot be decoded.
func read(body io.Reader, into any, schema string) error {
	text, err := io.ReadAll(io.LimitReader(body, MaxBody+1))
	switch {
	case err != nil:
		return fmt.Errorf("body cut off after %d bytes: %w", len(text), err)
	case len(text) > MaxBody:
		return fmt.Errorf("body: got more than %d bytes, want at most that", MaxBody)
	case !utf8.Valid(text): // encoding/json would replace what is wrong, and so change an ID
		return errors.New("body: not UTF-8")
	}
	var head struct {
		Schema string `json:"schema"`
	}
	if err := json.Unmarshal(text, &head); err != nil {
		return fmt.Errorf("body of %d bytes is not JSON, or cut off: %w", len(text), shortened(err))
	}
	if err := checkSchema(head.Schema, schema); err != nil {
		return err
	}
	return shortened(json.Unmarshal(text, into))
}

func checkSchema(got, want string) error {
	if got != want {
		return fmt.Errorf("schema: got %s, want %q", shown(got), want)
	}
	return nil
}

// UnmarshalJSON decodes with the bounds of this package: a small body must not
// become a large value.
func (r *Ring) UnmarshalJSON(text []byte) error {
	type fields Ring // without this method
	all := struct {
		*fields
		Fingerprints json.RawMessage `json:"fingerprints"`
		Transitions  json.RawMessage `json:"transitions"`
		Members      json.RawMessage `json:"members"`
		Disagree     json.RawMessage `json:"disagree"`
	}{fields: (*fields)(r)}
	if err := json.Unmarshal(text, &all); err != nil {
		return err
	}
	var errs [4]error
	r.Fingerprints, errs[0] = decodeMap[string](all.Fingerprints, "fingerprints")
	r.Transitions, errs[1] = decodeMap[Transition](all.Transitions, "transitions")
	r.Members, errs[2] = decodeList[Member](all.Members, "members")
	r.Disagree, errs[3] = decodeList[string](all.Disagree, "disagree")
	return errors.Join(errs[:]...)
}

// decodeList decodes an array element by element: the number of elements is
// known before room is made for them. Nothing, and null, give nil.
func decodeList[T any](text json.RawMessage, what string) ([]T, error) {
	d, err := opened(text, what, '[')
	if d == nil {
		return nil, err
	}
	list := []T{}
	for d.More() {
		if len(list) == MaxMembers {
			return nil, fmt.Errorf("%s: got more than %d, want at most that", what, MaxMembers)
		}
		var element T
		if err := d.Decode(&element); err != nil {
			return nil, fmt.Errorf("%s[%d]: %w", what, len(list), err)
		}
		list = append(list, element)
	}
	return list, nil
}

// decodeMap is decodeList for an object whose names are kinds.
func decodeMap[T any](text json.RawMessage, what string) (map[membership.Kind]T, error) {
	d, err := opened(text, what, '{')
	if d == nil {
		return nil, err
	}
	entries := make(map[membership.Kind]T)
	for d.More() {
		if len(entries) == maxKinds {
			return nil, fmt.Errorf("%s: got more than %d, want at most that", what, maxKinds)
		}
		name, err := d.Token()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", what, err)
		}
		var value T
		if err := d.Decode(&value); err != nil {
			return nil, fmt.Errorf("%s of %v: %w", what, shown(fmt.Sprint(name)), err)
		}
		entries[membership.Kind(fmt.Sprint(name))] = value
	}
	return entries, nil
}

// opened returns a decoder behind the first bracket, or nil for null and errors.
func opened(text json.RawMessage, what string, want json.Delim) (*json.Decoder, error) {
	if len(text) == 0 {
		return nil, nil
	}
	d := json.NewDecoder(bytes.NewReader(text))
	got, err := d.Token()
	switch {
	case err != nil:
		return nil, fmt.Errorf("%s: %w", what, err)
	case got == nil:
		return nil, nil
	case got != want:
		return nil, fmt.Errorf("%s: got %s, want %s", what, shown(fmt.Sprint(got)), map[json.Delim]string{'[': "an array", '{': "an object"}[want])
	}
	return d, nil
}

const (
	shownBytes     = 64 // of a text from outside, in an error
	maxErrorLength = 300
)

func shown(s string) string {
	if len(s) > shownBytes {
		return fmt.Sprintf("%q… (%d bytes)", s[:shownBytes], len(s))
	}
	return fmt.Sprintf("%q", s)
}

// shortened keeps an error of encoding/json, which may quote a number of any
// length, to one line of a log.
func shortened(err error) error {
	if err == nil || len(err.Error()) <= maxErrorLength {
		return err
	}
	return errors.New(cut(err.Error()))
}

func cut(text string) string {
	if len(text) <= maxErrorLength {
		return text
	}
	return strings.ToValidUTF8(text[:maxErrorLength], "") + " …"
}
