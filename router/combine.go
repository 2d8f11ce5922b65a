package router

import (
	"fmt"
	"maps"

	"github.com/redis/go-redis/v9"
	"github.com/ringway/ringway/router/command"
)

// combinable reports whether setAny can set the command's result. It is asked
// before anything is sent.
func combinable(cmd redis.Cmder) bool {
	switch cmd.(type) {
	case *redis.Cmd, *redis.IntCmd, *redis.BoolCmd, *redis.SliceCmd, *redis.StatusCmd, *redis.StringCmd,
		*redis.StringSliceCmd, *redis.BoolSliceCmd, *redis.MapStringSliceInterfaceCmd:
		return true
	}
	return false
}

func uncombinable(c *command.Command, cmd redis.Cmder) error {
	return &UnsupportedError{Command: c.Name(), Reason: fmt.Sprintf("replies of several nodes cannot be made one %T: use Do or ForEachNode", cmd)}
}

// setAny sets a command's result from the combined value of all nodes.
func setAny(cmd redis.Cmder, value any) error {
	switch cmd := cmd.(type) {
	case *redis.BoolSliceCmd:
		list, isList := value.([]any)
		if !isList {
			return errReply
		}
		flags := make([]bool, len(list))
		for i, v := range list {
			flags[i] = v == int64(1)
		}
		cmd.SetVal(flags)
	case *redis.StringCmd:
		text, isText := value.(string)
		if !isText {
			return errReply
		}
		cmd.SetVal(text)
	case *redis.StatusCmd: // go-redis takes numbers too, such as LATENCY RESET's
		cmd.SetVal(fmt.Sprint(value))
	case *redis.MapStringSliceInterfaceCmd:
		series, err := seriesOf(value)
		if err != nil {
			return err
		}
		cmd.SetVal(series)
	default:
		setResult(cmd, value)
	}
	return nil
}

func unionOfMaps(values []any) (any, error) {
	union := make(map[any]any)
	for _, v := range values {
		m, isMap := v.(map[any]any)
		if !isMap {
			return nil, errReply
		}
		maps.Copy(union, m)
	}
	return union, nil
}

// seriesOf reads the reply of TS.MGET and the like: a map from key to a list or,
// in RESP2, a list of lists that begin with the key.
func seriesOf(value any) (map[string][]any, error) {
	series := make(map[string][]any)
	add := func(key, rest any) bool {
		name, isText := key.(string)
		list, isList := rest.([]any)
		series[name] = list
		return isText && isList
	}
	switch value := value.(type) {
	case map[any]any:
		for key, rest := range value {
			if !add(key, rest) {
				return nil, errReply
			}
		}
	case []any:
		for _, entry := range value {
			if list, isList := entry.([]any); !isList || len(list) == 0 || !add(list[0], list[1:]) {
				return nil, errReply
			}
		}
	default:
		return nil, errReply
	}
	return series, nil
}

// setCounts sets the result of a command that gives a number for each of its
// arguments: PUBSUB NUMSUB. Those without an answer are left out.
func setCounts(cmd redis.Cmder, names []string, counts []any) {
	byName, flat := make(map[string]int64), []any{}
	for i, name := range names {
		if n, isInt := counts[i].(int64); isInt {
			byName[name] = n
			flat = append(flat, name, n)
		}
	}
	switch cmd := cmd.(type) {
	case *redis.MapStringIntCmd:
		cmd.SetVal(byName)
	case *redis.Cmd:
		cmd.SetVal(flat)
	}
}
