package main

// What an operator's commands do when nodes come that nobody knows, when agents do not
// answer, and when they are interrupted.
func init() {
	for _, m := range operatorMutations {
		if m.pkg == "" {
			m.file, m.pkg = "cmd/ringway/"+m.file, "./cmd/ringway"
		}
		m.name = "operator/" + m.name
		mutations = append(mutations, m)
	}
}

const demo = "./cmd/ringway/internal/demo"

var operatorMutations = []mutation{
	{name: "demo-stranger", what: "the demo survives nodes that it does not know", file: "cmd/ringway/internal/demo/shadow.go", pkg: demo,
		old: "\t\tif next.expires[id] == nil {\n", new: "\t\tif next.expires[id] == nil && id[0] == 'c' {\n",
		tests: "TestShadowOfStrangers"},
	{name: "demo-join", what: "the demo's line for one more node is whole", file: "cmd/ringway/internal/demo/keep.go", pkg: demo,
		old: "strings.Join(r.join, \" \"))", new: "strings.Join(r.join[:3], \" \"))",
		tests: "TestKeep"},
	{name: "drain-last", what: "the last node of a kind is not drained", file: "drain_fleet.go",
		old: "\tif !f.force {\n", new: "\tif false {\n",
		tests: "TestDrainTheLast"},
	{name: "drain-takers", what: "a node that leaves takes no keys", file: "drain_fleet.go",
		old: " && !leaving(m.State)", new: "",
		tests: "TestDrainTheLast"},
	{name: "drain-others", what: "drain asks others when the agents named end", file: "drain_fleet.go",
		old: "if one.at != nil && !slices", new: "if false && !slices",
		tests: "TestDrainAsksTheOthers"},
	{name: "drain-interrupted", what: "an interrupted drain says that the node goes on leaving", file: "drain.go",
		old: "case err != nil && ctx.Err() != nil:", new: "case false:",
		tests: "TestDrainInterrupted"},
	{name: "watch-interrupted", what: "a watch that is interrupted did not come to its end", file: "rebalance_watch.go",
		old: "return ctx.Err() // it ends", new: "return nil // it ends",
		tests: "TestRebalanceWatchInterrupted"},
	{name: "plan-rate", what: "plan takes the least of the rates of the sources", file: "plan_rate.go",
		old: "l.KeysPerSecond < p.limits.Keys)", new: "l.KeysPerSecond > p.limits.Keys)",
		tests: "TestPlanRate"},
	{name: "movers-first", what: "nodes that move come first", file: "rebalance_total.go",
		old: "cmp.Compare(rank(a), rank(b))", new: "cmp.Compare(rank(b), rank(a))",
		tests: "TestManyMovers"},
	{name: "movers-log", what: "without a terminal only changes are printed", file: "rebalance_log.go",
		old: "if text != *last && text", new: "if text",
		tests: "TestMoverLog"},
	{name: "evicted", what: "a node that was thrown out is told of", file: "internal/agent/self.go", pkg: agent,
		old: "if m.Evicted && !m.Alive {", new: "if false {",
		tests: "TestMembers"},
}
