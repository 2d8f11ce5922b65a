package demo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"
)

// startDeadline is how long a process may take until it is ready; stepDeadline how
// long the fleet may take until a change is done.
const (
	startDeadline = 30 * time.Second
	stepDeadline  = 45 * time.Second
)

// fleet is the processes of the demo.
type fleet struct {
	cfg     Config
	cluster string // its own, so that no other demo on this machine is let in
	dir     string // of everything that it writes
	nodes   []*node
	born    int        // nodes started so far, which gives them their names
	spare   dataServer // an empty one for a node that joins by hand; nil: none
}

func newFleet(cfg Config) (*fleet, error) {
	dir, err := os.MkdirTemp("", "ringway-demo-")
	if err != nil {
		return nil, err
	}
	return &fleet{cfg: cfg, cluster: fmt.Sprintf("ringway-demo-%d", os.Getpid()), dir: dir}, nil
}

// close ends all processes and removes all files.
func (f *fleet) close() error {
	var all sync.WaitGroup
	for _, n := range f.nodes {
		all.Go(n.end)
	}
	if f.spare != nil {
		_ = f.spare.Close() // nothing can be done about it
	}
	all.Wait()
	return os.RemoveAll(f.dir)
}

// begin starts the first nodes, the first one alone: the others join it.
func (f *fleet) begin(ctx context.Context, count int) error {
	if _, err := f.add(ctx); err != nil {
		return err
	}
	started := make([]*node, count-1)
	errs := make([]error, count-1)
	var all sync.WaitGroup
	for i := range started {
		f.born++
		id := nodeName(f.born)
		all.Go(func() { started[i], errs[i] = f.startNode(ctx, id) })
	}
	all.Wait()
	for _, n := range started {
		if n != nil {
			f.nodes = append(f.nodes, n) // to be ended even if another one failed
		}
	}
	return errors.Join(errs...)
}

func nodeName(number int) string { return fmt.Sprintf("cache-%d", number) }

// add starts a further node.
func (f *fleet) add(ctx context.Context) (*node, error) {
	f.born++
	n, err := f.startNode(ctx, nodeName(f.born))
	if err == nil {
		f.nodes = append(f.nodes, n)
	}
	return n, err
}

// remove ends a node that has left, or kills one that has not.
func (f *fleet) remove(n *node) {
	n.end()
	f.nodes = slices.DeleteFunc(f.nodes, func(other *node) bool { return other == n })
}

// seeds are where the agents gossip.
func (f *fleet) seeds() string {
	var all []string
	for _, n := range f.nodes {
		all = append(all, n.gossip)
	}
	return strings.Join(all, ",")
}
