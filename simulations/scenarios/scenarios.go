// Package scenarios holds the scenarios that ship with ringsim: questions that
// teams ask of their cache fleets, one a file. docs/guide/scenarios.md has their
// answers.
package scenarios

import (
	"embed"
	"path"
	"strings"
)

//go:embed *.yaml
var files embed.FS

// Names returns the names of the scenarios, sorted.
func Names() []string {
	entries, err := files.ReadDir(".")
	if err != nil {
		panic("scenarios: the files of this package: " + err.Error())
	}
	var names []string
	for _, e := range entries {
		names = append(names, strings.TrimSuffix(e.Name(), path.Ext(e.Name())))
	}
	return names
}

// Read returns the content of a scenario, and whether there is one of that name.
func Read(name string) (content []byte, ok bool) {
	content, err := files.ReadFile(name + ".yaml")
	return content, err == nil
}
