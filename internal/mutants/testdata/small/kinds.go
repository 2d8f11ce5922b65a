// Package small has a function of each kind that may have a mutant.
package small

import (
	"errors"
	"fmt"
	"strings"
)

type counter struct{ n int }

type pair[K comparable, V any] struct {
	key   K
	value V
}

const limit = 3

var begun = "by a variable"

var called = variable()

func init() {
	begun = "by init"
}

func init() {
	begun += ", twice"
}

func variable() string { return "called" }

func plain(n int) int { return n + 1 }

func (c *counter) pointer(n int) int {
	c.n += n
	return c.n
}

func (c counter) Value() int { return c.n * 2 }

func (counter) unnamedReceiver() string { return "unnamed" }

func (_ *counter) blankReceiver() string { return "blank" }

func unnamed(int, ...string) string { return "parameters" }

func blank(_ int, s string, _, _ bool) string { return s }

func variadic(first int, more ...int) int { return first + len(more) }

func noResults(n *int) {
	*n += limit
}

func severalResults(s string) (string, error) {
	return strings.ToUpper(s), nil
}

func namedResults(n int) (double int, err error) {
	defer func() {
		if n < 0 {
			err = errors.New("negative")
		}
	}()
	double = n * 2
	return
}

func recovers(n int) (s string) {
	defer func() { s = fmt.Sprint(recover()) }()
	panic(n)
}

func generic[K comparable, V any](m map[K]V, key K) int {
	if _, there := m[key]; there {
		return 1
	}
	return 0
}

func (p pair[K, V]) genericMethod() V { return p.value }

func (p *pair[_, V]) blankType(v V) string { return fmt.Sprint("is ", v) }

// unused has no test, notReached none that calls it.
func unused() int { return 1 }

func notReached() int { return 1 }
