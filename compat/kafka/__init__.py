"""Apache Kafka 4.3.1 from Maven Central: the reference beside us.

Nothing of it is kept here but the list in `pom.xml`; Maven keeps the jars.
"""
