package command_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/ringway/ringway/router/command"
)

var update = flag.Bool("update", false, "rewrite testdata/commands.txt")

// TestGoldenList shows the whole table in one file, by what becomes of a
// command, so that a change of the table is seen in review.
func TestGoldenList(t *testing.T) {
	sections := make(map[string][]string)
	for c := range (command.Table{}).All() {
		title := "Route: " + c.Route().String()
		if c.Combine() != command.Single {
			title += ", combine: " + c.Combine().String()
		}
		if reason, refused := c.Refusal(nil); refused {
			title += ": " + string(reason)
		}
		sections[title] = append(sections[title], fmt.Sprintf("%-28s %4d  %s", c.Name(), c.Arity(), command.Describe(c)))
	}
	var titles []string
	for title := range sections {
		titles = append(titles, title)
	}
	slices.Sort(titles)
	var list strings.Builder
	list.WriteString("The command table: name, arity, keys by position and class. \"5=timeout\" is a time-out that the server waits for.\n" +
		"A class with * is that without options; options change it. Written by TestGoldenList with -update.\n")
	for _, title := range titles {
		fmt.Fprintf(&list, "\n%s (%d)\n\n%s\n", title, len(sections[title]), strings.Join(sections[title], "\n"))
	}
	const path = "testdata/commands.txt"
	if *update {
		if err := os.WriteFile(path, []byte(list.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	golden, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(golden) != list.String() {
		t.Errorf("the table is not that of %s: run with -update, and look at the difference", path)
	}
}

// TestServersAdvice holds routes against the tips of COMMAND INFO, in which the
// server advises clients of a cluster. Where the table does something else, it
// is listed here with the reason.
func TestServersAdvice(t *testing.T) {
	client := connect(t)
	if v := serverVersion(t, client); !strings.HasPrefix(v, "7.0.") {
		t.Skipf("NOT COMPARED: the server here is %s, and the table rests on 7.0", v)
	}
	advice := map[string]string{
		"request_policy:multi_shard":                                "split by key, in order",
		"request_policy:multi_shard response_policy:agg_sum":        "split by key, sum",
		"request_policy:multi_shard response_policy:all_succeeded":  "split by key, all succeed",
		"request_policy:all_shards response_policy:agg_sum":         "all nodes, sum",
		"request_policy:all_nodes response_policy:agg_sum":          "all nodes, sum",
		"request_policy:all_shards":                                 "all nodes, union",
		"request_policy:all_shards response_policy:all_succeeded":   "all nodes, all succeed",
		"request_policy:all_nodes response_policy:all_succeeded":    "all nodes, all succeed",
		"request_policy:all_shards response_policy:one_succeeded":   "all nodes, any succeeds",
		"request_policy:all_shards response_policy:agg_logical_and": "all nodes, all",
		"request_policy:special":                                    "all nodes, cursor",
		"request_policy:all_shards response_policy:special":         "refused, single",
		"request_policy:all_nodes response_policy:special":          "refused, single",
	}
	differs := map[string]string{
		"MSETNX":      "one node, single",       // all or nothing, which shards cannot do together
		"MSETEX":      "one node, single",       // likewise with NX and XX
		"RANDOMKEY":   "all nodes, first found", // one key, not one of each node
		"SLOWLOG GET": "refused, single",        // an entry does not say whose it is
		"WAIT":        "connection, single",     // waits for the writes of its own connection
		"WAITAOF":     "connection, single",
	}
	infos, err := client.Do(context.Background(), "COMMAND", "INFO").Slice()
	if err != nil {
		t.Fatal(err)
	}
	checked := 0
	var check func(info []any)
	check = func(info []any) {
		name := strings.ToUpper(strings.ReplaceAll(info[0].(string), "|", " "))
		var tips []string
		for _, tip := range info[7].([]any) {
			if s := fmt.Sprint(tip); strings.Contains(s, "_policy:") {
				tips = append(tips, s)
			}
		}
		if c, known := (command.Table{}).Named(name); known && len(tips) > 0 {
			want, understood := advice[strings.Join(tips, " ")]
			if other, ok := differs[name]; ok {
				want, understood = other, true
			}
			if got := c.Route().String() + ", " + c.Combine().String(); !understood || got != want {
				t.Errorf("%s: %s; the server advises %s, %q", name, got, tips, want)
			}
			checked++
		}
		for _, sub := range info[9].([]any) {
			check(sub.([]any))
		}
	}
	for _, info := range infos {
		check(info.([]any))
	}
	if checked < 40 {
		t.Errorf("advice on %d commands: some is missing", checked)
	}
}
