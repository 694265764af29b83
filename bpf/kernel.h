/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* SPDX-FileCopyrightText: 2026 The Penstock authors */
/*
 * The kernel's own structs, cut down to the fields that are read. libbpf moves each access to where the running
 * kernel's BTF says the field is, so that order and size here mean nothing; names and types do.
 */
#ifndef PENSTOCK_KERNEL_H
#define PENSTOCK_KERNEL_H

#include <linux/types.h>
#include <stdbool.h>

#define PF_EXITING	0x00000004
#define PF_KTHREAD	0x00200000

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

typedef struct {
	int counter;
} atomic_t;

struct kernfs_node {
	__u64 id;
};

struct cgroup_root {
	int hierarchy_id;
};

struct cgroup {
	struct kernfs_node *kn;
	struct cgroup_root *root;
};

struct cgroup_subsys_state {
	struct cgroup *cgroup;
};

struct css_set {
	struct cgroup_subsys_state *subsys[1];
	struct cgroup *dfl_cgrp;
};

enum cgroup_subsys_id {
	cpuacct_cgrp_id = 2,
};

struct rq {
	__u64 clock;
	__u64 clock_task;
};

struct cfs_rq {
	struct rq *rq;
};

struct sched_entity {
	struct cfs_rq *cfs_rq;
	__u64 exec_start;
	__u64 sum_exec_runtime;
	__u64 prev_sum_exec_runtime;
};

struct sched_info {
	unsigned long long last_arrival;
};

struct signal_struct {
	atomic_t live;
};

struct task_struct {
	unsigned int flags;
	struct sched_entity se;
	struct sched_info sched_info;
	int pid;
	int tgid;
	struct task_struct *group_leader;
	__u64 start_boottime;
	char comm[16];
	struct signal_struct *signal;
	struct css_set *cgroups;
};

#pragma clang attribute pop

#endif /* PENSTOCK_KERNEL_H */
