package agentapi

import (
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"unicode/utf8"

	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/ring"
)

const (
	// MaxEpoch keeps one agent that makes up a number from ending the count: it
	// is the largest stamp that gossip accepts.
	MaxEpoch = 1<<52 - 1

	maxNameLength = 512 // bytes of a name in Disagree, which may be a URL
	maxCluster    = 64  // bytes of the name of a fleet, as in gossip
)

// View returns the view that an agent has sent, with version 0. It checks all of
// it, and fails for the first thing that cannot be: see the errors. It never
// panics, and the view shares nothing with r but strings.
func (r Ring) View() (membership.View, error) {
	v, err := r.view()
	if err != nil {
		return membership.View{}, fmt.Errorf("agentapi: ring: %w", err)
	}
	return v, nil
}

func (r Ring) view() (v membership.View, err error) {
	if err := errors.Join(checkSchema(r.Schema, RingSchema), checkEpoch(r.Epoch), checkCluster(r.Cluster), r.Placement.check(), checkNames("disagree", r.Disagree)); err != nil {
		return v, err
	}
	members, err := r.members()
	if err != nil {
		return v, err
	}
	if v, err = membership.NewView(r.Epoch, members...); err != nil {
		return v, err
	}
	if v.Fingerprints, err = r.fingerprints(); err != nil {
		return v, err
	}
	v.Disagree = append(v.Disagree, r.Disagree...) // nil if all agree
	if err := r.checkTransitions(v); err != nil {
		return v, err
	}
	// Both sides compute it from the same members. If they differ, the answer was
	// damaged, or the two versions do not read it alike: then this side would
	// send keys elsewhere.
	if got := fingerprint(v, r.Placement); got != r.Fingerprint {
		return v, fmt.Errorf("fingerprint: got %s, want %s, which follows from the members", shown(r.Fingerprint), got)
	}
	return v, nil
}

func checkEpoch(epoch uint64) error {
	if epoch > MaxEpoch {
		return fmt.Errorf("epoch: got %d, want at most 2^52 - 1", epoch)
	}
	return nil
}

func checkCluster(name string) error {
	if len(name) > maxCluster || !utf8.ValidString(name) {
		return fmt.Errorf("cluster: got %s, want at most %d bytes of UTF-8", shown(name), maxCluster)
	}
	return nil
}

func (p Placement) check() error {
	wrong := func(field string, got any, want string) error {
		return fmt.Errorf("placement: %s: got %v, want %s", field, got, want)
	}
	switch {
	case p.Algorithm == "" || len(p.Algorithm) > shownBytes:
		return wrong("algorithm", shown(p.Algorithm), "a name")
	case p.Hash == "" || len(p.Hash) > shownBytes:
		return wrong("hash", shown(p.Hash), "a name")
	case p.VirtualNodes < 1 || p.VirtualNodes > ring.MaxTokens:
		return wrong("virtual_nodes", p.VirtualNodes, "1 to 16777216")
	case p.SeedFingerprint != "" && !isHex(p.SeedFingerprint, 8):
		return wrong("seed_fingerprint", shown(p.SeedFingerprint), "16 hexadecimal digits, or nothing")
	}
	return nil
}

func checkNames(field string, names []string) error {
	if len(names) > MaxMembers {
		return fmt.Errorf("%s: got %d names, want at most %d", field, len(names), MaxMembers)
	}
	for i, name := range names {
		if name == "" || len(name) > maxNameLength || !utf8.ValidString(name) {
			return fmt.Errorf("%s[%d]: got %s, want 1 to %d bytes of UTF-8", field, i, shown(name), maxNameLength)
		}
	}
	return nil
}

// members checks what membership.NewView takes for a default: here everything is
// said.
func (r Ring) members() ([]membership.Member, error) {
	switch {
	case r.Members == nil:
		return nil, errors.New("members: got none, want a list, be it empty")
	case len(r.Members) > MaxMembers:
		return nil, fmt.Errorf("members: got %d, want at most %d", len(r.Members), MaxMembers)
	}
	members := make([]membership.Member, len(r.Members))
	for i, m := range r.Members {
		missing := ""
		switch {
		case m.Kind == "":
			missing = "kind"
		case m.State == "":
			missing = "state"
		case m.Weight == 0:
			missing = "weight"
		}
		if missing != "" {
			return nil, fmt.Errorf("members[%d], ID %s: got no %s, want one", i, shown(m.ID), missing)
		}
		members[i] = membership.Member(m)
	}
	return members, nil
}

func (r Ring) fingerprints() (map[membership.Kind]ring.Fingerprint, error) {
	if len(r.Fingerprints) == 0 {
		return nil, nil // the agent does not know them
	}
	all := make(map[membership.Kind]ring.Fingerprint, len(nodeKinds))
	for kind, text := range r.Fingerprints {
		f := ring.Fingerprint{}
		if !slices.Contains(nodeKinds, kind) {
			return nil, fmt.Errorf("fingerprints: got kind %s, want one of %v", shown(string(kind)), nodeKinds)
		}
		if !isHex(text, len(f)) {
			return nil, fmt.Errorf("fingerprints of %s: got %s, want 64 hexadecimal digits", kind, shown(text))
		}
		hex.Decode(f[:], []byte(text))
		all[kind] = f
	}
	return all, nil
}

// checkTransitions compares what the agent makes of its members with what
// follows from them here.
func (r Ring) checkTransitions(v membership.View) error {
	want := make(map[membership.Kind]Transition)
	for _, kind := range nodeKinds {
		if number, phase := v.Transition(kind); phase != membership.Stable {
			want[kind] = Transition{Number: number, Phase: phase.String()}
		}
	}
	if !maps.Equal(r.Transitions, want) {
		return fmt.Errorf("transitions: got %s, want %v, which follows from the members", cut(fmt.Sprint(r.Transitions)), want)
	}
	return nil
}

// isHex reports whether the text is that many bytes in small hexadecimal digits.
func isHex(text string, size int) bool {
	b, err := hex.DecodeString(text)
	return err == nil && len(b) == size && hex.EncodeToString(b) == text
}
