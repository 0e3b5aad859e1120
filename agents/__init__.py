"""Who works: reusable definitions of agents, their live instances, what was asked of them and what they reported."""
