package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// evictAfter is how long a node must be dead before it loses its keys. Fleets in
// earnest wait longer.
const evictAfter = 2 * time.Second

// node is a data server with its agent.
type node struct {
	id     string
	server dataServer
	agent  *process
	gossip string // where the agent gossips
	http   string // the agent's URL
}

// startNode starts a server and its agent, and waits until both answer. The first
// node of a fleet has nobody to join.
func (f *fleet) startNode(ctx context.Context, id string) (*node, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, startDeadline, errTooLong)
	defer cancel()
	n := &node{id: id}
	var err error
	if n.server, err = f.cfg.Backend.start(ctx, f.cfg.program, f.dir, id); err != nil {
		return nil, err
	}
	args := append(f.agentArgs(id, n.server), "--log-format", "json")
	if n.agent, err = startProcess(f.dir, id+".agent", f.cfg.program, args...); err != nil {
		n.end()
		return nil, err
	}
	if err := n.hear(ctx); err != nil {
		n.end()
		return nil, err
	}
	return n, nil
}

// agentArgs are the arguments by which the agent of a server becomes a part of the
// fleet.
func (f *fleet) agentArgs(id string, server dataServer) []string {
	args := []string{"agent", "--id", id, "--server", string(f.cfg.Backend.kind()) + "://" + server.Addr(),
		"--bind", "127.0.0.1:0", "--http", "127.0.0.1:0", "--network", "local", "--cluster", f.cluster,
		"--evict-after", evictAfter.String(), "--move-keys", strconv.Itoa(f.cfg.moveKeys())}
	if seeds := f.seeds(); seeds != "" {
		return append(args, "--join", seeds)
	}
	return append(args, "--bootstrap")
}

// invite starts an empty server that nobody speaks for, and returns the arguments by
// which its agent joins the fleet: for whoever wants to see a node join by hand.
func (f *fleet) invite(ctx context.Context) (args []string, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, startDeadline, errTooLong)
	defer cancel()
	f.born++
	id := nodeName(f.born)
	if f.spare, err = f.cfg.Backend.start(ctx, f.cfg.program, f.dir, id); err != nil {
		return nil, err
	}
	return f.agentArgs(id, f.spare), nil
}

// hear waits until the agent has said where it gossips and answers.
func (n *node) hear(ctx context.Context) error {
	_, err := n.agent.says(ctx, func(line string) string {
		var said struct{ Msg, Gossip, HTTP string }
		if json.Unmarshal([]byte(line), &said) != nil || said.Msg != "agent started" {
			return ""
		}
		n.gossip, n.http = said.Gossip, "http://"+said.HTTP
		return said.Gossip
	})
	return err
}

// leave tells the agent to hand its keys over and end.
func (n *node) leave(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, n.http+"/v1/leave", bytes.NewReader(nil))
	if err != nil {
		return err
	}
	resp, err := lonely.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusAccepted {
		return fmt.Errorf("agent of %s: POST /v1/leave: got %s, want 202", n.id, resp.Status)
	}
	return nil
}

// lonely keeps no connection: each would be a goroutine that outlives the demo.
var lonely = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}

// end kills both processes and waits until they are gone. It may be called again.
func (n *node) end() {
	if n.agent != nil {
		n.agent.kill()
	}
	if n.server != nil {
		_ = n.server.Close() // nothing can be done about it
	}
}
