package router

import "github.com/redis/go-redis/v9"

// cloneResultless returns a copy of a command that may run in its place, or
// false for a type that copyResult does not know.
func cloneResultless(cmd redis.Cmder) (redis.Cmder, bool) {
	switch cmd.(type) {
	case *redis.StringCmd, *redis.StatusCmd, *redis.IntCmd, *redis.BoolCmd, *redis.FloatCmd, *redis.SliceCmd,
		*redis.StringSliceCmd, *redis.IntSliceCmd, *redis.MapStringStringCmd, *redis.DurationCmd, *redis.ZSliceCmd,
		*redis.BoolSliceCmd, *redis.FloatSliceCmd, *redis.Cmd:
		return cmd.Clone(), true
	}
	return nil, false
}

// copyResult gives a command the result of its copy.
func copyResult(to, from redis.Cmder) {
	switch to := to.(type) {
	case *redis.StringCmd:
		to.SetVal(from.(*redis.StringCmd).Val())
	case *redis.StatusCmd:
		to.SetVal(from.(*redis.StatusCmd).Val())
	case *redis.IntCmd:
		to.SetVal(from.(*redis.IntCmd).Val())
	case *redis.BoolCmd:
		to.SetVal(from.(*redis.BoolCmd).Val())
	case *redis.FloatCmd:
		to.SetVal(from.(*redis.FloatCmd).Val())
	case *redis.SliceCmd:
		to.SetVal(from.(*redis.SliceCmd).Val())
	case *redis.StringSliceCmd:
		to.SetVal(from.(*redis.StringSliceCmd).Val())
	case *redis.IntSliceCmd:
		to.SetVal(from.(*redis.IntSliceCmd).Val())
	case *redis.MapStringStringCmd:
		to.SetVal(from.(*redis.MapStringStringCmd).Val())
	case *redis.DurationCmd:
		to.SetVal(from.(*redis.DurationCmd).Val())
	case *redis.ZSliceCmd:
		to.SetVal(from.(*redis.ZSliceCmd).Val())
	case *redis.BoolSliceCmd:
		to.SetVal(from.(*redis.BoolSliceCmd).Val())
	case *redis.FloatSliceCmd:
		to.SetVal(from.(*redis.FloatSliceCmd).Val())
	case *redis.Cmd:
		to.SetVal(from.(*redis.Cmd).Val())
	}
	to.SetErr(from.Err())
}
