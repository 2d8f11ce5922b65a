package agentapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/ringway/ringway/membership"
)

// Members is what GET /v1/members answers: for people and scripts. Clients
// follow Ring.
type Members struct {
	Schema      string `json:"schema"` // MembersSchema
	Epoch       uint64 `json:"epoch"`
	Fingerprint string `json:"fingerprint"` // of the view: see Ring

	// Agree says that no member's ring has differed for longer than convergence
	// takes; Disagree names those whose has.
	Agree    bool     `json:"agree"`
	Disagree []string `json:"disagree"`

	// Frozen says that the agent that answers evicts nobody, since it sees only
	// RingSeen of the RingNodes nodes that stay in the ring: not most of them.
	Frozen    bool `json:"frozen"`
	RingSeen  int  `json:"ring_seen"`
	RingNodes int  `json:"ring_nodes"`

	// Held says why the agent goes by an older view of the fleet than there is: the
	// ring of the newest would have too many tokens. Empty: it does not.
	Held string `json:"held,omitempty"`

	// Later names members that are seen and speak another version of the protocol,
	// so that nothing else is known of them.
	Later []string `json:"other_version"`

	// Evicted are nodes that were thrown out and have not come back: Members has
	// none of them. In the order of their IDs.
	Evicted []Evicted `json:"evicted,omitempty"`

	Members []MemberStatus `json:"members"` // in the order of their IDs
}

// Evicted is a node that others have thrown out of the ring.
type Evicted struct {
	ID    string    `json:"id"`
	Since time.Time `json:"since,omitzero"` // when, by the clock of who decided it
}

// MemberStatus is one member as the agent that answers sees it.
type MemberStatus struct {
	ID         string            `json:"id"`
	Kind       membership.Kind   `json:"kind"`
	Address    string            `json:"address"`
	State      membership.State  `json:"state"`
	Health     membership.Health `json:"health"` // empty: as far as is known it is well
	Weight     float64           `json:"weight"`
	Zone       string            `json:"zone"`
	NextWeight float64           `json:"next_weight"` // 0 unless a change of weight is under way
	Step       membership.State  `json:"step"`        // how far that is
	Generation uint64            `json:"generation"`

	// Share is the part of the hash space that the member owns now, from 0 to 1.
	Share float64 `json:"share"`

	// Fingerprint is that of the ring that the member says it uses, or the start
	// of it, in hexadecimal digits; empty if it has said none.
	Fingerprint string `json:"fingerprint"`

	HTTP  string    `json:"http,omitempty"` // where the member's agent answers, if that is known
	Since time.Time `json:"since,omitzero"` // when State changed last, by the member's clock

	// HealthSince is when the agent that answers learnt that Health has changed, by
	// its clock; zero: the member was well when that agent first saw it, and has
	// been since. Agents that started at different times tell different ones.
	HealthSince time.Time `json:"health_since,omitzero"`
}

// StatusSince is since when the member's status, that is Health where that is bad
// and State otherwise, has been what it is; zero: that is not known.
func (s MemberStatus) StatusSince() time.Time {
	if s.Health != membership.Healthy || s.HealthSince.After(s.Since) {
		return s.HealthSince
	}
	return s.Since
}

// MembersOf returns what is known from the ring. What each member's share,
// fingerprint, HTTP address and time of change are is left to be filled in.
func MembersOf(r Ring) Members {
	m := Members{Schema: MembersSchema, Epoch: r.Epoch, Fingerprint: r.Fingerprint, Agree: len(r.Disagree) == 0,
		Disagree: append([]string{}, r.Disagree...), Later: []string{}, Members: make([]MemberStatus, len(r.Members))}
	for i, member := range r.Members {
		m.Members[i] = MemberStatus{ID: member.ID, Kind: member.Kind, Address: member.Address, State: member.State, Health: member.Health,
			Weight: member.Weight, Zone: member.Zone, NextWeight: member.NextWeight, Step: member.Step, Generation: member.Generation}
	}
	return m
}

const maxHeld = 2048 // bytes: an ID of 255 and what is wrong with it

// check refuses what must not be shown as if it were true.
func (m Members) check() error {
	if err := errors.Join(checkEpoch(m.Epoch), checkNames("disagree", m.Disagree), checkNames("other_version", m.Later)); err != nil {
		return err
	}
	if !isHex(m.Fingerprint, 32) {
		return fmt.Errorf("fingerprint: got %s, want 64 hexadecimal digits", shown(m.Fingerprint))
	}
	if len(m.Held) > maxHeld {
		return fmt.Errorf("held: got %d bytes, want at most %d", len(m.Held), maxHeld)
	}
	gone := make([]string, len(m.Evicted))
	for i, e := range m.Evicted {
		gone[i] = e.ID
	}
	if err := checkNames("evicted", gone); err != nil {
		return err
	}
	var r Ring // what it says of members is checked alike
	if m.Members != nil {
		r.Members = make([]Member, 0, len(m.Members))
	}
	for i, s := range m.Members {
		r.Members = append(r.Members, s.member())
		switch {
		case !(s.Share >= 0 && s.Share <= 1): // refuses NaN too
			return fmt.Errorf("members[%d], ID %s: share: got %v, want 0 to 1", i, shown(s.ID), s.Share)
		case len(s.Fingerprint) > 64 || !isHex(s.Fingerprint, len(s.Fingerprint)/2):
			return fmt.Errorf("members[%d], ID %s: fingerprint: got %s, want up to 64 hexadecimal digits", i, shown(s.ID), shown(s.Fingerprint))
		case len(s.HTTP) > maxNameLength:
			return fmt.Errorf("members[%d], ID %s: http: got %s, want at most %d bytes", i, shown(s.ID), shown(s.HTTP), maxNameLength)
		}
	}
	members, err := r.members()
	if err == nil {
		_, err = membership.NewView(m.Epoch, members...)
	}
	return err
}

func (s MemberStatus) member() Member {
	return Member{ID: s.ID, Kind: s.Kind, Address: s.Address, State: s.State, Health: s.Health, Weight: s.Weight, Zone: s.Zone,
		NextWeight: s.NextWeight, Step: s.Step, Generation: s.Generation}
}

// UnmarshalJSON decodes with the bounds of this package.
func (m *Members) UnmarshalJSON(text []byte) error {
	type fields Members // without this method
	all := struct {
		*fields
		Disagree json.RawMessage `json:"disagree"`
		Later    json.RawMessage `json:"other_version"`
		Members  json.RawMessage `json:"members"`
	}{fields: (*fields)(m)}
	if err := json.Unmarshal(text, &all); err != nil {
		return err
	}
	var errs [3]error
	m.Disagree, errs[0] = decodeList[string](all.Disagree, "disagree")
	m.Members, errs[1] = decodeList[MemberStatus](all.Members, "members")
	m.Later, errs[2] = decodeList[string](all.Later, "other_version")
	return errors.Join(errs[:]...)
}
