//go:build !linux

package faults_test

var systemScenarios []scenario

// openFiles cannot tell on this system.
func openFiles(string) []string { return nil }
