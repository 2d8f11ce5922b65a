package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/ringway/ringway/internal/agentapi"
	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/ring"
)

// fleet is what an agent told of the ring.
type fleet struct {
	view      membership.View
	placement agentapi.Placement
}

func newFleet(r agentapi.Ring) (fleet, error) {
	view, err := r.View()
	return fleet{view: view, placement: r.Placement}, err
}

// errSeed says that the fleet has a secret seed which is not the one given.
var errSeed = errors.New("the fleet's keys are placed with a secret seed")

// config returns what the fleet's rings are made with, as the agent tells it and
// the seed, which no agent tells. It fails if this program cannot make them.
func (f fleet) config(seed uint64) (ring.Config, error) {
	p := f.placement
	cfg := ring.Config{VirtualNodes: p.VirtualNodes, Hasher: ring.Hasher{Seed: seed, HashTags: p.HashTags}}
	var err error
	if cfg.Hasher.Function, err = ring.ParseHashFunction(p.Hash); err != nil {
		return cfg, err
	}
	ours, err := agentapi.PlacementOf(cfg)
	switch {
	case err != nil:
		return cfg, err
	case p.Algorithm != ours.Algorithm:
		return cfg, fmt.Errorf("placement %q: this program makes %q only", p.Algorithm, ours.Algorithm)
	case p.SeedFingerprint != ours.SeedFingerprint:
		return cfg, errSeed
	}
	return cfg, nil
}

// current returns the ring of a kind. It is the one that the agents have, or
// there is an error.
func (f fleet) current(kind membership.Kind, cfg ring.Config) (*ring.Ring, error) {
	r, err := ring.New(f.view.Current(kind), cfg)
	if err != nil {
		return nil, err
	}
	if theirs, known := f.view.Fingerprints[kind]; known && theirs != r.Fingerprint() {
		return nil, fmt.Errorf("this program makes ring %s of the members, the agent %s", r.Fingerprint().Short(), theirs.Short())
	}
	return r, nil
}

// ringsFingerprint returns what members compare: the fingerprint of the current
// ring, or in a fleet with nodes of both kinds a hash over those of both. What
// each member shows is the start of it. (The fingerprint in the agent's answer is
// one of the whole view: it changes with a transition too.)
func ringsFingerprint(r agentapi.Ring) (string, error) {
	kinds := slices.Sorted(maps.Keys(r.Fingerprints))
	if len(kinds) == 1 {
		return r.Fingerprints[kinds[0]], nil
	}
	all := sha256.New()
	for _, kind := range kinds {
		one, err := hex.DecodeString(r.Fingerprints[kind])
		if err != nil {
			return "", err
		}
		all.Write(one)
	}
	if len(kinds) == 0 {
		return "", nil
	}
	return hex.EncodeToString(all.Sum(nil)), nil
}
