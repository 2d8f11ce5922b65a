// Package rounds turns times that were measured again and again into figures
// that can be stated: medians, ratios within a round, and whether they reach
// what we set ourselves as an aim.
//
// A machine that slows down for a while slows both sides of a ratio that is
// taken within one round, and the median over the rounds leaves out a round in
// which one side alone was disturbed. Neither helps on a machine that has other
// work to do all the time: a [Yardstick] notices that, and the page says so.
package rounds
