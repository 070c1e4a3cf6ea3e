"""What is asked and how it is read: designs of coalitions, the loop over variants, answers and estimators."""
