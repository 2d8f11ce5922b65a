package resizetest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os/exec"
	"strings"
	"testing"

	"github.com/ringway/ringway/internal/agentapi"
	"github.com/ringway/ringway/internal/proctest"
	"github.com/ringway/ringway/internal/servertest"
)

// program is ringway, for what is measured with agents in processes of their own: as
// they are beside a server, they share no memory and no garbage collector with the
// client.
var program = proctest.NewBuild("../../../..", "../..")

// agentProcess is `ringway agent`, with less of the processors than the servers where
// there are not enough, as docs/deploy has it.
type agentProcess struct {
	t      testing.TB
	log    proctest.Buffer
	gossip string // where others reach it
	http   string // its URL
}

func startAgent(t testing.TB, i int, server *servertest.Server, more ...string) *agentProcess {
	t.Helper()
	a := &agentProcess{t: t}
	args := append([]string{"-n", "10", program.Program(t, "ringway"), "agent", "--id", nodeName(i), "--server", "redis://" + server.Addr(),
		"--network", "local", "--cluster", cluster, "--bind", "127.0.0.1:0", "--http", "127.0.0.1:0",
		// A machine that is busy must not look like a server that has failed.
		"--evict-after", bound.String(), "--log-format", "json", "--move-keys", fmt.Sprint(moverRate)}, more...)
	cmd := exec.Command("nice", args...)
	cmd.Stdout, cmd.Stderr = &a.log, &a.log
	must(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // nice has become the agent
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("agent %d wrote:\n%s", i, a.log.Tail())
		}
	})
	eventually(t, "an agent starts", a.started)
	return a
}

// started reads from the log where the agent is.
func (a *agentProcess) started() bool {
	for line := range strings.Lines(a.log.String()) {
		var said struct{ Msg, Gossip, HTTP string }
		if json.Unmarshal([]byte(line), &said) == nil && said.Msg == "agent started" {
			a.gossip, a.http = said.Gossip, "http://"+said.HTTP
			return true
		}
	}
	return false
}

// rebalance returns what the agent says of its mover.
func (a *agentProcess) rebalance() (r agentapi.Rebalance) {
	a.t.Helper()
	resp, err := http.Get(a.http + agentapi.RebalancePath)
	must(a.t, err)
	defer resp.Body.Close()
	must(a.t, json.NewDecoder(resp.Body).Decode(&r))
	return r
}
