package file_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strings"

	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/membership/file"
)

func Example() {
	dir, err := os.MkdirTemp("", "ringway")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "fleet.yaml")
	write := func(text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			log.Fatal(err)
		}
	}

	write(`
members:
  - {id: cache-a, address: "10.0.0.1:6379"}
  - {id: cache-b, address: "10.0.0.2:6379", weight: 2}
`)
	source, err := file.Open(file.Config{Path: path, OnError: func(err error) { log.Print(err) }})
	if err != nil {
		log.Fatal(err)
	}
	defer source.Close()

	// A router takes the source as it is: router.Config{Source: source}.
	view, err := source.Next(context.Background(), 0)
	if err != nil {
		log.Fatal(err)
	}
	for _, node := range view.Current(membership.Redis) {
		fmt.Println(node.ID, "weighs", node.Weight)
	}

	write("members:\n  - {id: cache-a, adress: 10.0.0.1:6379}\n")
	_, err = file.Open(file.Config{Path: path})
	fmt.Println(strings.TrimPrefix(err.Error(), "file: "+dir+"/"))
	// Output:
	// cache-a weighs 1
	// cache-b weighs 2
	// fleet.yaml:2:19: a member: unknown field "adress", did you mean "address"?; want one of id, kind, address, weight, zone, state, health
}
