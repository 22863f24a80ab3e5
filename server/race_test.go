//go:build race

package main

// Where the tests look for races, the program that they run does, too.
func init() { raceFlags = []string{"-race"} }
