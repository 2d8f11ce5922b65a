package command_test

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ringway/ringway/internal/servertest"
	"github.com/ringway/ringway/router/command"
)

const perCommand = 60 // invocations

func connect(t testing.TB) *redis.Client {
	t.Helper()
	client := redis.NewClient(&redis.Options{Addr: servertest.Redis(t).Addr(), Protocol: 2})
	t.Cleanup(func() { client.Close() })
	return client
}

func serverVersion(t *testing.T, client *redis.Client) string {
	t.Helper()
	info, err := client.InfoMap(context.Background(), "server").Result()
	if err != nil {
		t.Fatal(err)
	}
	return info["Server"]["redis_version"]
}

func anys(words []string) []any {
	args := make([]any, len(words))
	for i, w := range words {
		args[i] = w
	}
	return args
}

// serverKeys asks COMMAND GETKEYSANDFLAGS about invocations, in one flight. An
// answer is the keys with the class that their flags stand for, or the error.
func serverKeys(client *redis.Client, invocations [][]string) []string {
	ctx := context.Background()
	pipe := client.Pipeline()
	for _, words := range invocations {
		pipe.Do(ctx, append([]any{"COMMAND", "GETKEYSANDFLAGS"}, anys(words)...)...)
	}
	replies, _ := pipe.Exec(ctx) // each has its own error
	answers := make([]string, len(replies))
	for i, r := range replies {
		keys, err := r.(*redis.Cmd).Slice()
		if err != nil && !strings.Contains(err.Error(), "no key arguments") {
			answers[i] = err.Error()
			continue
		}
		for _, k := range keys {
			pair := k.([]any)
			answers[i] += fmt.Sprintf("[%v %s]", pair[0], classOf(fmt.Sprint(pair[1])))
		}
	}
	return answers
}

func classOf(flags string) command.Access {
	for flag, access := range map[string]command.Access{
		"RO": command.Read, "OW": command.Overwrite, "RM": command.Delete, "RW": command.ReadModifyWrite,
	} {
		if strings.Contains(flags, flag) {
			return access
		}
	}
	return command.NoAccess
}

// tableKeys answers from the table, in the same form.
func tableKeys(c *command.Command, words []string) (string, error) {
	keys, err := c.Keys(nil, anys(words))
	answer := ""
	for _, k := range keys {
		if k.Access != command.NoAccess { // channels, which the server does not list
			answer += fmt.Sprintf("[%s %s]", words[k.Pos], k.Access)
		}
	}
	return answer, err
}

// deviations are the commands of which the table says something else than the
// server's flags, on purpose: for each, the class that the server gives and the
// class that is meant, if it is so for these words.
var deviations = map[string]struct {
	server, table command.Access
	when          func(words []string) bool
}{
	"SET":     {command.Overwrite, command.ReadModifyWrite, hasAnyFrom(3, "NX", "XX", "KEEPTTL")},
	"SETNX":   {command.Overwrite, command.ReadModifyWrite, always},
	"MSETNX":  {command.Overwrite, command.ReadModifyWrite, always},
	"COPY":    {command.Overwrite, command.ReadModifyWrite, not(hasAnyFrom(3, "REPLACE"))},
	"RESTORE": {command.Overwrite, command.ReadModifyWrite, not(hasAnyFrom(4, "REPLACE"))},
	// RENAMENX reads and deletes one key, and that too is ReadModifyWrite.
	"RENAMENX":    {command.Overwrite, command.ReadModifyWrite, always},
	"SINTERSTORE": {command.ReadModifyWrite, command.Overwrite, always},
	"PFCOUNT":     {command.ReadModifyWrite, command.Read, always},
	"GETEX":       {command.ReadModifyWrite, command.Read, func(words []string) bool { return len(words) == 2 }},
	"XREADGROUP":  {command.Read, command.ReadModifyWrite, always},
}

func always([]string) bool { return true }

func not(f func([]string) bool) func([]string) bool {
	return func(words []string) bool { return !f(words) }
}

func hasAnyFrom(pos int, options ...string) func([]string) bool {
	return func(words []string) bool {
		return slices.ContainsFunc(words[pos:], func(w string) bool { return slices.Contains(options, strings.ToUpper(w)) })
	}
}

// TestKeysAreThoseOfTheServer asks the server about invocations of all its
// commands, made from the grammars that it gives for them.
func TestKeysAreThoseOfTheServer(t *testing.T) {
	client := connect(t)
	grammars := readGrammars(t, client)
	atHand := strings.HasPrefix(serverVersion(t, client), "7.0.")
	if atHand && len(grammars) < 300 {
		t.Fatalf("%d grammars: some are missing", len(grammars))
	}
	r := rand.New(rand.NewPCG(7, 15))
	compared, asked, deviated := 0, 0, make(map[string]bool)
	for _, name := range slices.Sorted(maps.Keys(grammars)) {
		c, known := command.Table{}.Named(name)
		if !known {
			if atHand {
				t.Errorf("%s is not in the table", name)
			}
			continue
		}
		invocations, timeouts := make([][]string, perCommand), make([]time.Duration, perCommand)
		for i := range invocations {
			invocations[i], timeouts[i] = invocation(r, name, grammars[name])
		}
		asked += len(invocations)
		for i, want := range serverKeys(client, invocations) {
			words := invocations[i]
			if d, ok := deviations[name]; ok && d.when(words) && strings.Contains(want, d.server.String()) {
				want = strings.ReplaceAll(want, d.server.String()+"]", d.table.String()+"]")
				deviated[name] = true
			}
			got, err := tableKeys(c, words)
			if err != nil {
				// What the grammar allows and no server runs: MIGRATE with a
				// key and KEYS, and the commands that take a command as words.
				if !strings.HasPrefix(want, "ERR") && !strings.HasPrefix(name, "COMMAND GETKEYS") && name != "DEBUG" {
					t.Errorf("%q: %v; the server finds %s", words, err, want)
				}
				continue
			}
			if strings.HasPrefix(want, "ERR wrong number") || strings.HasPrefix(want, "ERR Invalid number") {
				continue // of a subcommand without arguments: no keys
			}
			if got != want {
				t.Errorf("%q:\n table  %s\n server %s", words, got, want)
			}
			compared++
			checkTimeout(t, c, words, timeouts[i])
		}
	}
	if compared < asked*9/10 {
		t.Errorf("only %d of %d invocations were compared", compared, asked)
	}
	for name := range deviations {
		if atHand && !deviated[name] {
			t.Errorf("%s does not deviate from the server: it need not be listed", name)
		}
	}
}

func checkTimeout(t *testing.T, c *command.Command, words []string, written time.Duration) {
	t.Helper()
	timeout, blocks := c.Blocking(anys(words))
	if c.Route() == command.OneNode && blocks != (written > 0) || blocks && timeout != written {
		t.Errorf("%q: blocks: %t, for %v; a time-out of %v is among the arguments", words, blocks, timeout, written)
	}
}

// mangled returns words with something wrong, or by chance not: a word left
// out, doubled, or replaced.
func mangled(r *rand.Rand, words []string) []string {
	words = slices.Clone(words)
	for range 1 + r.IntN(2) {
		at := 1 + r.IntN(len(words)) // the name stays
		switch word := nasty[r.IntN(len(nasty))]; {
		case at == len(words):
			words = append(words, word)
		case r.IntN(3) == 0:
			words = slices.Delete(words, at, at+1)
		case r.IntN(2) == 0:
			words = slices.Insert(words, at, words[at])
		default:
			words[at] = word
		}
	}
	return words
}

var class = regexp.MustCompile(` [a-z-]+\]`)

// keysOf removes the classes from an answer.
func keysOf(answer string) string { return class.ReplaceAllString(answer, "]") }

// TestMangledInvocations makes invocations that are mostly wrong. Where table
// and server find keys, they find the same; and what the table refuses, or finds
// other keys in, is nothing that the server would run.
func TestMangledInvocations(t *testing.T) {
	ctx := context.Background()
	client := connect(t)
	grammars := readGrammars(t, client)
	r := rand.New(rand.NewPCG(8, 15))
	suspect, agreed := 0, 0
	for _, name := range slices.Sorted(maps.Keys(grammars)) {
		c, known := command.Table{}.Named(name)
		if !known || c.Route() != command.OneNode && c.Route() != command.SplitByKey || name == "MIGRATE" {
			continue
		}
		invocations := make([][]string, perCommand)
		for i := range invocations {
			words, _ := invocation(r, name, grammars[name])
			invocations[i] = mangled(r, words)
		}
		run := client.Pipeline()
		answers := serverKeys(client, invocations)
		for i, words := range invocations {
			c, known := command.Lookup(anys(words)) // the subcommand may be another
			if !known {
				continue
			}
			got, err := tableKeys(c, words)
			// GETKEYS takes "SORT k STORE STORE x" to write to x. Which it does
			// not: SORT itself says that the x is wrong.
			if err == nil && (keysOf(answers[i]) == keysOf(got) || strings.HasPrefix(answers[i], "ERR")) {
				agreed++
			} else {
				suspect++
				run.Do(ctx, anys(words)...)
			}
		}
		replies, _ := run.Exec(ctx)
		for _, reply := range replies {
			if reply.Err() == nil {
				t.Errorf("%q: refused by the table, or its keys are others, and yet the server ran it: %v", reply.Args(), reply.(*redis.Cmd).Val())
			}
		}
	}
	if suspect < 500 || agreed < 5000 {
		t.Errorf("%d invocations to be refused, %d to be agreed on: too few to tell anything", suspect, agreed)
	}
}

// TestBlockingFlag holds Blocking against the server's flag of that name.
func TestBlockingFlag(t *testing.T) {
	client := connect(t)
	// The flag of XREAD is about its option BLOCK. WAIT lacks the flag in 7.0,
	// MIGRATE blocks everybody.
	unflagged := []string{"MIGRATE", "WAIT", "WAITAOF", "TS.READ", "BLMOVEM"}
	infos, err := client.Command(context.Background()).Result()
	if err != nil {
		t.Fatal(err)
	}
	flagged := make(map[string]bool)
	for name, info := range infos {
		flagged[strings.ToUpper(name)] = slices.Contains(info.Flags, "blocking")
	}
	for c := range (command.Table{}).All() {
		args := anys(append(strings.Fields(c.Name()), "BLOCK", "1", "1", "BLOCK", "1", "STREAMS", "k", "0"))
		_, blocks := c.Blocking(args)
		if want := flagged[c.Name()] || slices.Contains(unflagged, c.Name()); blocks != want {
			t.Errorf("%s: blocks: %t, want %t", c.Name(), blocks, want)
		}
	}
}
