package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/ringway/ringway/cmd/ringway/internal/agents"
	"github.com/ringway/ringway/cmd/ringway/internal/settings"
	"github.com/ringway/ringway/internal/cli"
	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/rebalance"
	"github.com/ringway/ringway/ring"
)

type planFlags struct {
	clientFlags
	changeFlags
	server   serverFlags
	seedFile string
	kind     string
	copies   int
	headroom float64
	keyRate  int
	byteRate string
	noSample bool
	samples  int
	within   time.Duration
	seed     uint64
	force    bool
}

func newPlan() *cobra.Command {
	var f planFlags
	cmd := &cobra.Command{
		Use:   "plan",
		Short: "Show what a change of the fleet would move, and whether it fits",
		Long: `Plan tells what would move if nodes were added or removed or had other weights, all at
once: which part of the keys from which node to which, exactly, since it follows from
the two rings; and how many keys and bytes that is, estimated from a sample of each
server, with the standard error. It moves nothing, and writes nothing to any server.

A receiver must have room for what comes: if one has not, the plan is refused and the
exit code is 1, unless --force makes a warning of it. How long it takes follows from the
limits that the agents of the sources have now, the least of them, or from
--keys-per-second and --bytes-per-second, which each source node has for itself.
While keys move and without a change given, it shows the change that is under way.

The servers are asked at the addresses that the agent tells, with user, password,
database, prefix and TLS as the agents have them: the same flags, variables and file.
Without access to the servers --no-sample gives the fractions alone.`,
		Example: `  ringway plan --add cache-d
  ringway plan --add cache-d:2:eu-1@10.0.0.4:6379 --add cache-e --memory cache-e=8GB
  ringway plan --remove cache-a --keys-per-second 20000
  ringway plan --add cache-d --remove cache-a --format json
  ringway plan --weight cache-b=2 --no-sample
  ringway plan --add cache-d --config /etc/ringway/agent.yaml`,
		Args: cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd) },
	}
	f.flags(cmd)
	return cmd
}

func (f *planFlags) flags(cmd *cobra.Command) {
	f.clientFlags.add(cmd)
	f.changeFlags.add(cmd)
	flags := cmd.Flags()
	flags.StringVar(&f.kind, "kind", "", "nodes of that kind, `redis|memcached`; needed if the fleet has both")
	flags.IntVar(&f.copies, "copies", 1, "nodes that hold each key, a `NUMBER`: the clients' replication factor")
	flags.Float64Var(&f.headroom, "headroom", 0.1, "part of its memory that a receiver must have left, a `NUMBER` from 0 to below 1")
	flags.IntVar(&f.keyRate, "keys-per-second", 0, "keys a second that each source node moves, a `NUMBER`; 0: no limit; by default as the agents have it")
	flags.StringVar(&f.byteRate, "bytes-per-second", "", "bytes a second that each source node moves, a `SIZE` such as 20MB; by default as the agents have it")
	flags.BoolVar(&f.noSample, "no-sample", false, "ask no server: fractions only")
	flags.IntVar(&f.samples, "sample", rebalance.DefaultSampleKeys, "look at that `NUMBER` of keys on each server; one with not many more is counted")
	flags.DurationVar(&f.within, "sample-time", rebalance.DefaultSampleTime, "ask each server for at most that long, a `DURATION`")
	flags.Uint64Var(&f.seed, "seed", 0, "draw the samples of Redis with that `NUMBER`; 0: another one each time")
	flags.BoolVar(&f.force, "force", false, "warn where the plan would be refused")
	addSeedFile(cmd, &f.seedFile)
	f.server.addAccess(cmd)
	addPrefix(cmd, &f.server)
	settings.CommandLineOnly(flags, "keys-per-second", "bytes-per-second", "no-sample", "force", "seed")
	oneOf(cmd, "kind", string(membership.Redis), string(membership.Memcached))
	noWords(cmd, "copies", "headroom", "keys-per-second", "bytes-per-second", "sample", "sample-time", "seed")
}

// addAccess adds the flags that say how any server of the fleet is asked: those of
// the agent, of whose URL the host is of no interest here.
func (f *serverFlags) addAccess(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.url, "server", "", "`URL` in which user, password, database and TLS are as for all servers: redis://[user:password@]any/db, rediss://, memcached:// …; where each is, the agent tells")
	flags.StringVar(&f.user, "server-user", "", "Redis user `NAME`")
	flags.StringVar(&f.passwordFile, "server-password-file", "", "`FILE` with the Redis password; or set RINGWAY_SERVER_PASSWORD")
	flags.StringVar(&f.ca, "server-tls-ca", "", "PEM `FILE` with who vouches for the servers' certificates; by default the system's")
	flags.StringVar(&f.cert, "server-tls-cert", "", "PEM `FILE` with the certificate to show to the servers")
	flags.StringVar(&f.key, "server-tls-key", "", "PEM `FILE` with its key")
	flags.StringVar(&f.name, "server-tls-name", "", "`NAME` in the servers' certificates; by default the host of each")
	noWords(cmd, "server", "server-user", "server-tls-name")
}

// addPrefix adds the flag of commands that go through keys.
func addPrefix(cmd *cobra.Command, f *serverFlags) {
	cmd.Flags().StringVar(&f.prefix, "prefix", "", "count only keys that begin with this `TEXT`")
	noWords(cmd, "prefix")
}

// planner is what a plan is made with.
type planner struct {
	*planFlags
	client  *agents.Client
	rate    rate
	change  change
	limits  rebalance.Limits
	fleet   fleet
	kind    membership.Kind
	sampler sampler
}

func (f *planFlags) run(cmd *cobra.Command) error {
	client, err := f.open(cmd)
	if err != nil {
		return err
	}
	defer client.Close()
	p := planner{planFlags: f, client: client}
	if err := p.check(); err != nil {
		return err
	}
	seed, err := readSeed(f.seedFile, f.settings.Where("hash-seed-file"))
	if err != nil {
		return err
	}
	r, from, err := client.Ring(cmd.Context())
	if err != nil {
		return err
	}
	if p.fleet, err = newFleet(r); err != nil {
		return err
	}
	if p.kind, err = (&locateFlags{clientFlags: f.clientFlags, kind: f.kind}).kindOf(p.fleet); err != nil {
		return err
	}
	result, err := p.plan(cmd, seed)
	if err != nil {
		return err
	}
	result.Agent = from
	if err := result.report().Print(cmd.OutOrStdout(), *f.format); err != nil {
		return err
	}
	return result.finish(cmd.ErrOrStderr())
}

// check looks at what can be wrong before anybody is asked.
func (p *planner) check() (err error) {
	wrong := func(flag, found, want string) error {
		return &cli.UsageError{Where: p.settings.Where(flag), Found: found, Want: want}
	}
	switch {
	case p.planFlags.kind != "" && p.planFlags.kind != string(membership.Redis) && p.planFlags.kind != string(membership.Memcached):
		return wrong("kind", cli.Quote(p.planFlags.kind), "redis or memcached")
	case p.copies < 1:
		return wrong("copies", strconv.Itoa(p.copies), "at least 1")
	case !(p.headroom >= 0 && p.headroom < 1):
		return wrong("headroom", strconv.FormatFloat(p.headroom, 'g', -1, 64), "a number from 0 to below 1")
	case p.keyRate < 0:
		return wrong("keys-per-second", strconv.Itoa(p.keyRate), "0 or more")
	case p.samples < 1:
		return wrong("sample", strconv.Itoa(p.samples), "at least 1")
	case p.within <= 0:
		return wrong("sample-time", p.within.String(), "a duration above 0")
	}
	p.limits.Keys = p.keyRate
	if p.byteRate != "" {
		if p.limits.Bytes, err = parseSize(p.settings.Where("bytes-per-second"), p.byteRate); err != nil {
			return err
		}
	}
	if p.planFlags.seed == 0 {
		p.planFlags.seed = rand.Uint64()
	}
	if p.change, err = p.changeFlags.parse(); err != nil {
		return err
	}
	return p.checkServer()
}

// rings returns the ring before and after the change.
func (p *planner) rings(seed uint64) (from, to *ring.Ring, err error) {
	cfg, err := p.fleet.config(seed)
	switch where := p.settings.Where("hash-seed-file"); {
	case errors.Is(err, errSeed) && seed == 0:
		return nil, nil, &cli.UsageError{Where: where, Found: "no file, and " + err.Error(), Want: "the file with it", Err: err}
	case errors.Is(err, errSeed):
		return nil, nil, &cli.UsageError{Where: where, Found: "a seed that the fleet does not use", Want: "the fleet's", Err: err}
	case err != nil:
		return nil, nil, err
	}
	if from, err = p.fleet.current(p.kind, cfg); err != nil {
		return nil, nil, err
	}
	next := p.fleet.view.Next(p.kind)
	if _, phase := p.fleet.view.Transition(p.kind); p.change.empty() && phase != membership.Stable {
		to, err = ring.New(next, cfg)
		return from, to, err
	}
	if len(next) > 0 {
		if from, err = ring.New(next, cfg); err != nil {
			return nil, nil, err
		}
	}
	after, err := p.change.of(p.fleet.view, p.kind).Apply(from.Nodes())
	if err != nil {
		return nil, nil, usageOf(err)
	}
	if len(p.change.add)+len(p.change.weigh) > 0 {
		err = membership.CheckRoom(after, cfg.VirtualNodes) // agents would refuse it
	}
	if err == nil {
		to, err = ring.New(after, cfg)
	}
	if err != nil { // too many tokens, or a weight too small for one
		return nil, nil, &cli.UsageError{Where: "plan", Found: "a fleet that has no ring (" + err.Error() + ")", Want: "other weights", Err: err}
	}
	return from, to, nil
}

// plan computes, asks and judges.
func (p *planner) plan(cmd *cobra.Command, seed uint64) (*planResult, error) {
	from, to, err := p.rings(seed)
	if err != nil {
		return nil, err
	}
	plan, err := rebalance.NewPlan(rebalance.PlanConfig{From: from, To: to, Copies: p.copies})
	if err != nil {
		return nil, err
	}
	if err := p.askRate(cmd, plan.Sources()); err != nil {
		return nil, err
	}
	p.sampler = sampler{config: p.server.config(), kind: p.kind, plan: plan, addresses: p.addresses(),
		sample: rebalance.SampleConfig{Prefix: p.server.prefix, Keys: p.samples, Time: p.within, Seed: p.planFlags.seed}}
	var asked answers
	if !p.noSample {
		progress := cli.NewProgress(cmd.ErrOrStderr(), "asking servers")
		asked, err = p.sampler.ask(cmd.Context(), progress)
		progress.Close()
		if err != nil {
			return nil, err
		}
	}
	return p.result(plan, from, to, asked), nil
}

// addresses returns where each node's server is, as far as is known.
func (p *planner) addresses() map[string]string {
	addresses := make(map[string]string)
	for _, m := range p.fleet.view.Members {
		if m.Kind == p.kind {
			addresses[m.ID] = m.Address
		}
	}
	for _, a := range p.change.add {
		if a.address != "" {
			addresses[a.node.ID] = a.address
		}
	}
	return addresses
}

// usageOf restates what package rebalance says of a change.
func usageOf(err error) error {
	wrong := (*rebalance.ChangeError)(nil)
	switch {
	case !errors.As(err, &wrong):
		return err
	case wrong.Operation == "":
		return &cli.UsageError{Where: "plan", Found: "no change", Want: "--add, --remove or --weight", Err: err}
	}
	return &cli.UsageError{Where: "--" + string(wrong.Operation), Found: fmt.Sprintf("%s, %s", cli.Quote(wrong.Node), found[wrong.Err]), Want: wrong.Want, Err: err}
}

// found says of a node what is wrong with it.
var found = map[error]string{
	rebalance.ErrUnknownNode: "a node that the fleet's ring does not have",
	rebalance.ErrKnownNode:   "a node that the fleet's ring has already",
	rebalance.ErrTwice:       "a node named twice",
	rebalance.ErrNobodyLeft:  "the last node",
	rebalance.ErrNodeValue:   "a node that no ring can have",
}

// patience bounds one question for a server's memory.
const patience = 3 * time.Second

func bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, patience)
}
