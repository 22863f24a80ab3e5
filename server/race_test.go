//go:build race && system

// The system tests look for races in the server too if they look for races themselves: see main_test.go.
package main

func init() { raceFlags = []string{"-race"} }
