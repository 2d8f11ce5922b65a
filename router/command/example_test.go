package command_test

import (
	"fmt"

	"github.com/ringway/ringway/router/command"
)

func Example() {
	args := []any{"zunionstore", "total", 2, "monday", []byte("tuesday")}
	c, known := command.Lookup(args)
	if !known {
		return // a router refuses it: its keys cannot be guessed
	}
	keys, err := c.Keys(nil, args)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(c.Name(), "goes to", c.Route())
	for _, k := range keys {
		key, _ := command.KeyString(args[k.Pos])
		fmt.Println(key, k.Access)
	}
	// Output:
	// ZUNIONSTORE goes to one node
	// total overwrite
	// monday read
	// tuesday read
}

func ExampleCommand_Split() {
	args := []any{"mset", "a", 1, "b", 2}
	c, _ := command.Lookup(args)
	keys, _ := c.Keys(nil, args)
	cut := c.Split()
	for _, k := range keys {
		fmt.Println(args[:cut.Head], args[k.Pos:k.Pos+cut.Step])
	}
	fmt.Println("replies:", c.Combine())
	// Output:
	// [mset] [a 1]
	// [mset] [b 2]
	// replies: all succeed
}

func ExampleCommand_Refusal() {
	args := []any{"SUBSCRIBE", "news"}
	c, _ := command.Lookup(args)
	if reason, refused := c.Refusal(args); refused {
		fmt.Printf("%s is refused: %s\n", c.Name(), reason)
	}
	// Output:
	// SUBSCRIBE is refused: a subscription belongs to one connection: use Subscribe, PSubscribe or SSubscribe
}

func ExampleTable_With() {
	table, err := command.Table{}.With(command.Definition{
		Name:  "GRAPH.QUERY",
		Arity: -3,
		Keys:  []command.KeySpec{{First: 1}}, // changed, as far as anybody can tell
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	_, known := command.Lookup([]any{"graph.query", "social", "MATCH (n)"})
	c, added := table.Lookup([]any{"graph.query", "social", "MATCH (n)"})
	fmt.Println(known, added, c.Name())
	// Output:
	// false true GRAPH.QUERY
}
