package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ringway/ringway/cmd/ringway/internal/settings"
	"github.com/ringway/ringway/internal/agentapi"
	"github.com/ringway/ringway/internal/cli"
	"github.com/ringway/ringway/internal/cli/printable"
	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/ring"
)

type drainFlags struct {
	clientFlags
	seedFile      string
	noWait, force bool
}

func newDrain() *cobra.Command {
	var f drainFlags
	cmd := &cobra.Command{
		Use:   "drain ID",
		Short: "Have a node hand its keys over and leave the fleet",
		Long: `Drain tells the agent of a node to leave: its keys go to the nodes that own them without
it, then it is LEFT and its agent ends. The server keeps running, and may be stopped.

It says first what part of all keys the node owns and where that goes, and then waits until
the node is LEFT. The exit code is 1 if it left before all its keys were handed over
(see the agent's --leave-timeout), or stays because "ringway rebalance --abort" was said.
Ctrl-C ends the waiting, and not the leaving: exit code 130. If the agents of --agent end
meanwhile, the others are asked; if none has answered for a while, the exit code is 1.

The last node of its kind that could take keys is refused, unless --force is given: its
keys would have no owner. Whether the others have room for what comes to them, "ringway
plan --remove ID" tells.`,
		Example: `  ringway drain cache-a
  ringway drain cache-a --no-wait --token-file /etc/ringway/token
  ringway drain cache-a --agent http://10.0.0.1:8946 --format json`,
		Args:              oneNode,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE:              func(cmd *cobra.Command, args []string) error { return f.run(cmd, args[0]) },
	}
	f.clientFlags.add(cmd)
	flags := cmd.Flags()
	flags.Lookup("token-file").Usage = orderTokenUsage
	flags.BoolVar(&f.noWait, "no-wait", false, "end when the agent has been told")
	flags.BoolVar(&f.force, "force", false, "have the node leave even if nobody is there to take its keys")
	settings.CommandLineOnly(flags, "no-wait", "force")
	addSeedFile(cmd, &f.seedFile)
	return cmd
}

// oneNode wants the ID of a node.
func oneNode(cmd *cobra.Command, args []string) error {
	switch {
	case len(args) == 0 || args[0] == "":
		return &cli.UsageError{Where: cmd.Name(), Found: "no node", Want: "the ID of one"}
	case len(args) > 1:
		return &cli.UsageError{Where: cmd.Name(), Found: fmt.Sprintf("%d arguments", len(args)), Want: "the ID of one node"}
	}
	return nil
}

// drained is what became of a node.
type drained struct {
	id        string
	share     float64
	movements []movedShare
	told      time.Time

	state    string
	complete bool
	last     agentapi.Rebalance // seen last; its ID is empty if none was
}

func (f *drainFlags) run(cmd *cobra.Command, id string) error {
	client, err := f.open(cmd)
	if err != nil {
		return err
	}
	defer client.Close()
	seed, err := readSeed(f.seedFile, f.settings.Where("hash-seed-file"))
	if err != nil {
		return err
	}
	ctx := cmd.Context()
	m, err := askMovers(ctx, client, "")
	if err != nil {
		return err
	}
	defer m.close()
	one, err := m.node(id)
	if err != nil {
		return err
	}
	d := drained{id: id, share: one.member.Share, state: statusOf(one.member)}
	r, _, err := client.Ring(ctx)
	if err != nil {
		return err
	}
	fleet, err := newFleet(r)
	if err != nil {
		return err
	}
	if d.movements, err = whereTo(fleet, one.member, seed); err != nil {
		return err
	}
	if one.at == nil {
		return fmt.Errorf("drain: the agent of %s was not reached: %w", printable.Text(id), one.err)
	}
	if err := f.checkTakers(cmd, fleet, one.member); err != nil {
		return err
	}
	if err := one.at.Leave(ctx, id); err != nil {
		return fmt.Errorf("drain: agent %s: %w", one.at.Name(), err)
	}
	d.told = time.Now()
	if *f.format == cli.Table { // at once: the rest may take long
		fmt.Fprint(cmd.OutOrStdout(), d.announcement())
	}
	if !f.noWait {
		err := f.await(cmd, newInquiry(client, m, f.agents), one, &d)
		switch {
		case err != nil && ctx.Err() != nil:
			return &cli.InterruptedError{Err: ctx.Err(), Still: printable.Text(id) + ` goes on leaving; "ringway rebalance --abort" takes that back`}
		case err != nil:
			return err
		}
	}
	if err := d.report(f.noWait).Print(cmd.OutOrStdout(), *f.format); err != nil {
		return err
	}
	return d.verdict(f.noWait)
}

// node returns the mover of a node that can be drained.
func (m movers) node(id string) (mover, error) {
	one, has := m.find(id)
	if has {
		return one, nil
	}
	var known []string
	for _, s := range m.members.Members {
		if s.ID == id && s.State == membership.Left {
			return mover{}, fmt.Errorf("drain: node %s has left already", printable.Text(id))
		}
	}
	for _, one := range m.all {
		known = append(known, printable.Text(one.member.ID))
	}
	return mover{}, &cli.UsageError{Where: "drain", Found: cli.Quote(id), Want: "one of " + strings.Join(known, ", ")}
}

const drainEvery = 200 * time.Millisecond // a node that is LEFT can be asked for a second or two

// await waits until the node has left, or stays.
func (f *drainFlags) await(cmd *cobra.Command, fleet *inquiry, one mover, d *drained) error {
	progress := cli.NewProgress(cmd.ErrOrStderr(), "handing keys over")
	defer progress.Close()
	ctx := cmd.Context()
	tick := time.NewTicker(drainEvery)
	defer tick.Stop()
	begun := false // the fleet has seen it leaving
	for {
		d.ask(ctx, one)
		if r := d.last; r.KeysLeft >= 0 && busy(r) {
			progress.Set(r.KeysMoved, r.KeysMoved+r.KeysLeft)
		}
		m, err := fleet.members(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err == nil {
			var state membership.State
			d.state = "" // unless the fleet knows it
			for _, s := range m.Members {
				if s.ID == d.id {
					state, d.state = s.State, statusOf(s)
				}
			}
			begun = begun || state == membership.Leaving || state == membership.Exporting || d.last.NodeState == membership.Exporting
			stays := begun && (state == membership.Active || state == membership.Importing) &&
				d.last.NodeState != membership.Leaving && d.last.NodeState != membership.Exporting
			switch {
			case state == membership.Left:
				d.ask(ctx, one) // it may have come to its end since
				d.complete = d.handedOver()
				return nil
			case state == "" || stays:
				return nil
			}
		} else if d.last.NodeState == membership.Left {
			// Nobody is left to ask but the node's own agent, which has ended.
			d.state, d.complete = string(membership.Left), d.handedOver()
			return nil
		} else if fleet.silent() >= drainPatience {
			return fmt.Errorf("drain: not reached: no agent has answered for %v; %s may go on leaving\n%w",
				drainPatience, printable.Text(d.id), err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// ask asks the node's agent how far it is. If that does not answer, what it said last
// stands.
func (d *drained) ask(ctx context.Context, one mover) {
	if r, err := one.at.Rebalance(ctx); err == nil && r.ID == d.id {
		d.last = r
	}
}

// handedOver reports whether the node has left nothing behind: its agent says so, or
// it owned nothing.
func (d *drained) handedOver() bool { return d.last.HandedOver || d.share == 0 }

// verdict is the error for the exit code.
func (d *drained) verdict(noWait bool) error {
	switch {
	case noWait || d.complete:
		return nil
	case d.state == string(membership.Left):
		return fmt.Errorf("drain: %s left before all its keys were handed over", printable.Text(d.id))
	case d.state == "":
		return errors.New("drain: the fleet knows the node no more")
	}
	return fmt.Errorf("drain: %s stays: it is %s", printable.Text(d.id), d.state)
}

// movedShare is the part of all keys that goes to one node.
type movedShare struct {
	To       string  `json:"to"`
	Fraction float64 `json:"fraction"`
}

// whereTo returns where the keys of a node go, by the ring that the fleet will have
// without it; nil where that is not known for want of the secret seed.
func whereTo(fleet fleet, node agentapi.MemberStatus, seed uint64) ([]movedShare, error) {
	cfg, err := fleet.config(seed)
	if errors.Is(err, errSeed) && seed == 0 {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	nodes := fleet.view.Next(node.Kind)
	from, err := ring.New(nodes, cfg)
	if err != nil {
		return nil, nil // it owns nothing
	}
	to, err := from.Without(node.ID)
	if err != nil || len(to.Nodes()) == 0 {
		return nil, nil
	}
	return sharesOf(from, to, node.ID)
}
