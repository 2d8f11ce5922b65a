package main

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ringway/ringway/cmd/ringway/internal/settings"
	"github.com/ringway/ringway/internal/agent"
	"github.com/ringway/ringway/internal/agentapi"
	"github.com/ringway/ringway/ring"
)

// changeable is what a running agent can be told: an *agent.Agent, or what a test puts
// in its place.
type changeable interface {
	SetWeight(weight float64) error
	SetLeaveTimeout(d time.Duration) error
	SetToken(token string)
	SetKeys(keys [][]byte) error
	Order(o agentapi.RebalanceOrder) error
}

var _ changeable = (*agent.Agent)(nil)

// live are the settings that change while the agent runs. All others decide what it
// has opened, or must be the same in the whole fleet, and need a restart.
var live = []string{"weight", "move-keys", "move-bytes", "leave-timeout", "log-level", "token-file", "encrypt-key-file"}

// reload reads the settings again when it is told to. Only what differs from what was
// read before is changed: what an operator has ordered over HTTP since stays, unless
// the settings say something new about it. It is not safe for concurrent use.
type reload struct {
	version string // of the program
	log     *slog.Logger

	level        *slog.LevelVar
	leaveTimeout time.Duration

	last *settings.Settings // read last and taken

	// As the agent was started with.
	started   *settings.Settings
	placement ring.Config
	encrypted bool
}

func newReload(cmd *cobra.Command, f *agentFlags, s *settings.Settings, cfg agent.Config) *reload {
	return &reload{version: cmd.Root().Version, log: cfg.Logger, level: &f.level, leaveTimeout: f.gossip.leaveTimeout,
		last: s, started: s, placement: cfg.Gossip.Placement, encrypted: len(cfg.Gossip.Keys) > 0}
}

// newSettings are those that were read again. Nothing was done with them yet.
type newSettings struct {
	f        *agentFlags
	settings *settings.Settings
	cfg      agent.Config
	changed  []string // live ones
	waiting  []string // others that differ from what the agent was started with
}

// read reads the settings and the files with secrets that they name, and changes what
// can be changed. If anything of it cannot be used, nothing is changed; what the agent
// refuses after it has taken over something else is tried again at the next reload.
func (r *reload) read(a changeable) {
	now, err := r.again()
	var done []string
	if err == nil {
		done, err = r.apply(a, now)
	}
	switch {
	case err != nil && len(done) > 0:
		r.log.Error("the settings were read again and were taken over in part", "changed", strings.Join(done, ", "), "error", err)
		return
	case err != nil:
		r.log.Error("the settings were read again and cannot be used: all stays as it is", "error", err)
		return
	}
	r.last = now.settings
	r.log.Info("the settings were read again", "changed", strings.Join(now.changed, ", "))
	if len(now.waiting) > 0 {
		r.log.Warn("these settings need a restart of the agent, and stay as they are", "settings", strings.Join(now.places(), ", "))
	}
}

// again loads the settings as the agent did when it started: the same command line and
// environment, and what the file says now.
func (r *reload) again() (now newSettings, err error) {
	now.f = new(agentFlags)
	fresh, root := now.f.command(), newRoot(r.version)
	for _, c := range root.Commands() {
		if c.Name() == fresh.Name() {
			root.RemoveCommand(c)
		}
	}
	root.AddCommand(fresh) // a file may have settings of all commands
	if err := r.started.Repeat(fresh); err != nil {
		return now, err
	}
	if now.settings, now.cfg, err = now.f.load(fresh); err != nil {
		return now, err
	}
	r.sort(&now)
	return now, nil
}

// sort tells what is new, and what has to wait: what differs from what the agent was
// started with and not only from what was read last, so that each reload tells it.
func (r *reload) sort(now *newSettings) {
	for _, name := range r.last.Differing(now.settings) {
		if slices.Contains(live, name) {
			now.changed = append(now.changed, name)
		}
	}
	now.waiting = r.started.Differing(now.settings)
	now.waiting = slices.DeleteFunc(now.waiting, func(name string) bool { return slices.Contains(live, name) })
	if now.cfg.Gossip.Placement.Hasher.Seed != r.placement.Hasher.Seed && !slices.Contains(now.waiting, "hash-seed-file") {
		now.waiting = append(now.waiting, "hash-seed-file") // the same file with another seed
	}
	if r.encrypted != (len(now.cfg.Gossip.Keys) > 0) {
		now.waiting = append(now.waiting, "encrypt-key-file")
		now.changed = slices.DeleteFunc(now.changed, func(name string) bool { return name == "encrypt-key-file" })
	}
	slices.Sort(now.waiting)
}

// places names the settings that wait by what set them.
func (now newSettings) places() (places []string) {
	for _, name := range now.waiting {
		places = append(places, now.settings.Where(name))
	}
	return places
}

// apply changes what has changed, and returns what it came to. What may be refused goes
// first: the weight, for which the fleet may have no room.
func (r *reload) apply(a changeable, now newSettings) (done []string, err error) {
	changed := func(name string) bool { return slices.Contains(now.changed, name) }
	// A weight that is not given any more is the one that the node has.
	if weight := now.f.weight; changed("weight") && weight != 0 {
		if err := a.SetWeight(weight); err != nil {
			return done, fmt.Errorf("%s: %w", now.settings.Where("weight"), err)
		}
		done = append(done, "weight")
	}
	var order agentapi.RebalanceOrder
	limits := now.cfg.Move.Limits
	if changed("move-keys") {
		order.KeysPerSecond = &limits.Keys
	}
	if changed("move-bytes") {
		order.BytesPerSecond = &limits.Bytes
	}
	if names := slices.DeleteFunc([]string{"move-keys", "move-bytes"}, func(name string) bool { return !changed(name) }); len(names) > 0 {
		if err := a.Order(order); err != nil {
			return done, fmt.Errorf("%s: %w", now.settings.Where(names[0]), err)
		}
		done = append(done, names...)
	}
	if changed("leave-timeout") {
		if err := a.SetLeaveTimeout(now.f.gossip.leaveTimeout); err != nil {
			return done, fmt.Errorf("%s: %w", now.settings.Where("leave-timeout"), err)
		}
		r.leaveTimeout = now.f.gossip.leaveTimeout
		done = append(done, "leave-timeout")
	}
	if r.level.Set(now.f.level.Level()); changed("log-level") {
		done = append(done, "log-level")
	}
	return done, r.applySecrets(a, now)
}

// applySecrets takes over keys and token, which may be others in the same files.
func (r *reload) applySecrets(a changeable, now newSettings) error {
	if keys := now.cfg.Gossip.Keys; r.encrypted && len(keys) > 0 {
		if err := a.SetKeys(keys); err != nil {
			return err
		}
		r.log.Info("the keys of the gossip were read again", "keys", len(keys))
	}
	a.SetToken(now.cfg.HTTP.Token)
	if now.f.http.tokenFile != "" {
		r.log.Info("the token was read again")
	}
	return nil
}
